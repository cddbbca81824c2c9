/** A name as the key of a YAML block: in quotation marks where it would be read as something else. */
export function yamlKey(name: string): string {
  return /^[A-Za-z_]\w*$/.test(name) && !/^(true|false|null)$/i.test(name) ? name : JSON.stringify(name);
}
