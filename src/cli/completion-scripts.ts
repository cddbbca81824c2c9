/** Completion scripts as text: commands and options in, a script of bash, zsh or fish out. Pure. */

export const SHELLS = ['bash', 'zsh', 'fish'] as const;

export type Shell = (typeof SHELLS)[number];

/** A value that follows: none, a path, a text that nobody can guess, or one of these words. */
export type Value = 'none' | 'file' | 'text' | readonly string[];

export interface CompletedOption {
  readonly flags: readonly string[];
  readonly description: string;
  readonly value: Value;
}

export interface CompletedCommand {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly CompletedOption[];
  readonly arguments: readonly Value[];
}

export function completionScript(shell: Shell, commands: readonly CompletedCommand[]): string {
  switch (shell) {
    case 'bash':
      return bashScript(commands);
    case 'zsh':
      return zshScript(commands);
    case 'fish':
      return fishScript(commands);
  }
}

const isWords = (value: Value): value is readonly string[] => typeof value !== 'string';

/** Where no words are offered, bash falls back to files (`-o default`). Works in the bash 3.2 of macOS. */
function bashScript(commands: readonly CompletedCommand[]): string {
  const words = (values: readonly string[]) => `words='${values.join(' ')}'`;
  const values = commands.flatMap(({ name, options }) =>
    options.flatMap(({ flags, value }) =>
      isWords(value) ? [`    ${flags.map((flag) => `'${name} ${flag}'`).join('|')}) ${words(value)} ;;`] : [],
    ),
  );
  const firsts = commands.flatMap(({ name, arguments: [first = 'none'] }) =>
    isWords(first) ? [`    '2 ${name} '*) ${words(first)} ;;`] : [],
  );
  const options = commands.map(
    ({ name, options: all }) => `    *' ${name} -'*) ${words(all.flatMap(({ flags }) => flags))} ;;`,
  );
  return `# bash completion of tablevault; load it with: source <(tablevault completion bash)
_tablevault() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} command=\${COMP_WORDS[1]} words=''
  if ((COMP_CWORD == 1)); then
    ${words([...commands.map(({ name }) => name), '--help', '--version'])}
  else
    case "$COMP_CWORD $command $current" in
${[...options, ...firsts].join('\n')}
    esac
    case "$command $previous" in
${values.join('\n')}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _tablevault tablevault
`;
}

function zshScript(commands: readonly CompletedCommand[]): string {
  const quoted = (text: string) => `'${text.replaceAll("'", String.raw`'\''`)}'`;
  const described = (text: string) => text.replaceAll(/[\\[\]:]/g, String.raw`\$&`);
  const action = (value: Value) => (isWords(value) ? `(${value.join(' ')})` : value === 'file' ? '_files' : '');
  const optionSpecs = ({ flags, description, value }: CompletedOption) =>
    flags.map((flag) => {
      const takes = value === 'none' ? '' : `:value:${action(value)}`;
      return quoted(`(${flags.join(' ')})${flag}[${described(description)}]${takes}`);
    });
  const cases = commands.map(({ name, options, arguments: values }) => {
    const specs = [
      ...options.flatMap(optionSpecs),
      ...values.map((value, index) => quoted(`${index + 1}:argument:${action(value)}`)),
    ];
    return `    ${name})\n      _arguments ${specs.join(' \\\n        ')} ;;`;
  });
  return `#compdef tablevault
# zsh completion of tablevault; load it with: source <(tablevault completion zsh)
_tablevault() {
  local -a commands
  commands=(
${commands.map(({ name, summary }) => `    ${quoted(`${name}:${described(summary)}`)}`).join('\n')}
  )
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  shift words
  ((CURRENT--))
  case $words[1] in
${cases.join('\n')}
  esac
}
if [[ $funcstack[1] == _tablevault ]]; then
  _tablevault "$@"
elif ((\${+functions[compdef]})); then
  compdef _tablevault tablevault
fi
`;
}

function fishScript(commands: readonly CompletedCommand[]): string {
  const quoted = (text: string) => `'${text.replaceAll(/['\\]/g, String.raw`\$&`)}'`;
  const within = (name: string) => `complete -c tablevault -n '__fish_seen_subcommand_from ${name}'`;
  const takes = (value: Value) => {
    if (isWords(value)) return ` -x -a ${quoted(value.join(' '))}`;
    return { none: '', file: ' -r -F', text: ' -x' }[value];
  };
  const flagOf = (flag: string) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`);
  const lines = commands.flatMap(({ name, summary, options, arguments: values }) => [
    `complete -c tablevault -n __fish_use_subcommand -a ${name} -d ${quoted(summary)}`,
    ...(values.includes('file') ? [`${within(name)} -F`] : []),
    ...values.filter(isWords).map((words) => `${within(name)} -a ${quoted(words.join(' '))}`),
    ...options.map(
      ({ flags, description, value }) =>
        `${within(name)} ${flags.map(flagOf).join(' ')} -d ${quoted(description)}${takes(value)}`,
    ),
  ]);
  return `# fish completion of tablevault; save it as ~/.config/fish/completions/tablevault.fish
complete -c tablevault -f
complete -c tablevault -n __fish_use_subcommand -l help -d 'the list of commands'
complete -c tablevault -n __fish_use_subcommand -l version -d 'print the version'
${lines.join('\n')}
`;
}
