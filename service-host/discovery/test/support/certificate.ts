import { generate } from 'selfsigned'

/** A certificate of its own authority for 127.0.0.1, and its key, as PEM. */
export function loopbackCertificate(): Promise<{ cert: string; private: string }> {
  return generate([{ name: 'commonName', value: 'kubernetes' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] },
    ],
  })
}
