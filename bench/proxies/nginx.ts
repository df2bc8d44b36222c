import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

export interface Nginx extends AsyncDisposable {
  readonly url: string
  readonly pid: number
}

/** nginx as a proxy with keep-alive on both sides and one worker, where it is installed; else undefined. */
export async function startNginx(upstream: string, port: number): Promise<Nginx | undefined> {
  if (spawnSync('nginx', ['-v']).error) return undefined
  const folder = await mkdtemp(path.join(tmpdir(), 'maru-nginx-'))
  const file = path.join(folder, 'nginx.conf')
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`).join(' ')
  await writeFile(
    file,
    `daemon off; worker_processes 1; pid ${folder}/pid; error_log ${folder}/error.log;
events { worker_connections 1024; }
http { access_log off; keepalive_requests 100000000; ${temporary}
upstream behind { server ${new URL(upstream).host}; keepalive 256; keepalive_requests 100000000; }
server { listen 127.0.0.1:${port};
location /ws { proxy_pass http://behind; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"; }
location / { proxy_pass http://behind; proxy_http_version 1.1; proxy_set_header Connection ""; } } }
`,
  )
  const child = spawn('nginx', ['-c', file, '-p', folder], { stdio: 'ignore' })
  const url = `http://127.0.0.1:${port}`
  while (child.exitCode === null && !(await answers(url))) await new Promise((resolve) => setTimeout(resolve, 20))
  return {
    url,
    pid: child.pid as number,
    async [Symbol.asyncDispose]() {
      child.kill('SIGQUIT')
      if (child.exitCode === null) await once(child, 'exit')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function answers(url: string): Promise<boolean> {
  // The echo behind takes nothing but JSON.
  return fetch(url, { method: 'POST', body: '{}' }).then(
    () => true,
    () => false,
  )
}
