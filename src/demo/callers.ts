/** Notices one token in the hands of two processes or machines: a violation of the licence terms. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

export interface Callers {
  /** True when the token was last used by another process or machine. */
  isShared(tokenId: string, request: IncomingMessage): boolean;
}

export function createCallers(): Callers {
  const callerOf = new WeakMap<Socket, string>();
  const lastCaller = new Map<string, string>();
  return {
    isShared(tokenId, request) {
      const socket = request.socket;
      let caller = callerOf.get(socket);
      if (caller === undefined) {
        caller = `${socket.remoteAddress} ${processOf(socket.remotePort ?? 0)}`;
        callerOf.set(socket, caller);
      }
      const last = lastCaller.get(tokenId);
      lastCaller.set(tokenId, caller);
      return last !== undefined && last !== caller;
    },
  };
}

/**
 * The process behind a loopback port, as far as the system tells (Linux: the socket's inode in /proc/net/tcp, then whose it is).
 * An empty text elsewhere: then only addresses tell callers apart.
 */
function processOf(port: number): string {
  try {
    const hex = port.toString(16).toUpperCase().padStart(4, '0');
    const line = ['/proc/net/tcp', '/proc/net/tcp6']
      .flatMap((file) => readFileSync(file, 'utf8').split('\n'))
      .map((text) => text.trim().split(/\s+/))
      .find((fields) => fields[1]?.endsWith(`:${hex}`) && fields[9] !== '0');
    if (line === undefined) return '';
    const target = `socket:[${line[9]}]`;
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    return [String(process.pid), ...pids].find((pid) => holds(pid, target)) ?? '';
  } catch {
    // No /proc on this system: an expected lack, and not an error.
    return '';
  }
}

function holds(pid: string, target: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`) === target;
      } catch {
        return false; // closed meanwhile
      }
    });
  } catch {
    return false; // ended meanwhile, or another user's
  }
}
