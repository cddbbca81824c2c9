/** The machine and the versions that figures belong to: nothing that names a host, a user or a path. */
import { cpus, totalmem } from 'node:os';
import duckdb from '@duckdb/node-bindings';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly platform: string;
  readonly node: string;
  readonly duckdb: string;
}

export function describeMachine(): Machine {
  const all = cpus();
  return {
    cpu: (all[0]?.model ?? 'unknown').replace(/\s+/g, ' ').trim(),
    cores: all.length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform} ${process.arch}`,
    node: process.versions.node,
    duckdb: duckdb.library_version(),
  };
}

/** `amd-epyc-2-cores`, for the name of a file of results. */
export function machineSlug({ cpu, cores }: Pick<Machine, 'cpu' | 'cores'>): string {
  const name = cpu
    .toLowerCase()
    .replace(/\((r|tm)\)/g, '')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '');
  return `${name.slice(0, 40) || 'unknown'}-${cores}-cores`;
}
