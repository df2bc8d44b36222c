import fc from 'fast-check'
import { expect, test } from 'vitest'
import * as ws from 'ws'
import { FrameBoundaries } from '../proxy/websocket-frames.ts'

/** What makes the frames of `ws`; its types do not tell of it. */
const { Sender } = ws as unknown as { Sender: { frame(data: Buffer, options: object): Buffer[] } }

/** Frames as `ws` makes them. */
const frame = fc
  .record({
    length: fc.oneof(fc.integer({ min: 0, max: 130 }), fc.constantFrom(65_535, 65_536)),
    opcode: fc.constantFrom(0, 1, 2, 9, 10),
    mask: fc.boolean(),
    fin: fc.boolean(),
  })
  .map(({ length, opcode, ...rest }) => {
    const control = opcode > 8
    const options = { ...rest, opcode, fin: rest.fin || control, rsv1: false, readOnly: true }
    return Buffer.concat(Sender.frame(Buffer.alloc(control ? Math.min(length, 125) : length, 0x88), options))
  })

test('where frames end is known however they are cut up on their way', () => {
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 6 }),
      fc.array(fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 70_000 })), { maxLength: 400 }),
      (frames, cuts) => {
        const bytes = Buffer.concat(frames)
        const ends = new Set<number>([0])
        let end = 0
        for (const { length } of frames) ends.add((end += length))
        const boundaries = new FrameBoundaries()
        for (let at = 0, cut = 0; at < bytes.length; cut += 1) {
          const to = Math.min(bytes.length, at + (cuts[cut] ?? bytes.length))
          boundaries.pass(bytes.subarray(at, to))
          at = to
          if (boundaries.isBetween !== ends.has(at)) expect.fail(`after ${at} of ${[...ends].join(', ')}`)
        }
        expect(boundaries.hasClosed).toBe(false)
        // A close frame is one as soon as its head is there.
        boundaries.pass(Buffer.of(0x88))
        expect([boundaries.isBetween, boundaries.hasClosed]).toEqual([false, false])
        boundaries.pass(Buffer.of(0x02))
        expect([boundaries.isBetween, boundaries.hasClosed]).toEqual([false, true])
        boundaries.pass(Buffer.of(0x03, 0xe8))
        expect(boundaries.isBetween).toBe(true)
      },
    ),
  )
})
