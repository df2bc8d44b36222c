import { symbolFromPath } from '@maru/contracts'
import type { ErrorCode } from '@maru/contracts'
import type { HttpService } from '@maru/service-host'
import { findMarket } from '../market/symbols.ts'
import { deltaOf, parseChannel, snapshotOf, type Channel } from './channels.ts'
import type { MarketFeed } from './market-feed.ts'
import { defaultSocketBounds, SocketSession, type SocketBounds } from './socket-session.ts'

/** Channels of one socket; more are refused. */
export const subscriptionsMax = 64
/** Longest message taken, and most messages within a second; beyond it the socket is closed. */
const messageMaxCharacters = 8_192
const messagesPerSecondMax = 50

interface Topic {
  readonly channel: Channel
  /** Number of the last delta; the same for all subscribers. */
  sequence: number
  readonly subscribers: Set<Subscriber>
}

interface Subscriber {
  readonly session: SocketSession
  readonly topics: Set<Topic>
  /** Topics of which a delta could not be sent: a snapshot is due. */
  readonly missed: Set<Topic>
}

/**
 * Serves `/ws` (channels) and `/ws/prices/:symbol`. A change is made into one message a channel, whoever many read it. A reader that lags
 * gets no more deltas; once it has caught up it gets a snapshot, whose `sequence` says where it stands; one that stays behind is dropped.
 */
export function serveSockets(http: HttpService, feed: MarketFeed, limits: SocketBounds = defaultSocketBounds): void {
  const bounds: SocketBounds = { ...limits, onDropped: (reason) => http.socketDropped(reason) }
  const topics = new Map<string, Topic>()
  const state = () => feed.state

  const snapshotMessage = (topic: Topic) => () =>
    JSON.stringify({
      channel: topic.channel.name,
      type: 'snapshot',
      sequence: topic.sequence,
      data: snapshotOf(topic.channel, state(), Date.now()),
    })

  feed.onChange((changes) => {
    const nowMs = Date.now()
    for (const topic of topics.values()) {
      const data = deltaOf(topic.channel, changes, state(), nowMs)
      if (data === undefined) continue
      topic.sequence++
      const message = Buffer.from(JSON.stringify({ channel: topic.channel.name, type: 'delta', sequence: topic.sequence, data }))
      for (const subscriber of topic.subscribers) {
        if (subscriber.missed.has(topic) || !subscriber.session.send(message)) subscriber.missed.add(topic)
      }
    }
  })

  http.socket('/ws', { access: 'public' }, (socket) => {
    const subscriber: Subscriber = {
      topics: new Set(),
      missed: new Set(),
      session: new SocketSession(
        socket,
        bounds,
        () => {
          for (const topic of subscriber.missed) {
            if (subscriber.session.send(snapshotMessage(topic))) subscriber.missed.delete(topic)
          }
        },
        () => {
          for (const topic of subscriber.topics) leave(topics, topic, subscriber)
        },
      ),
    }
    const say = (message: object) => subscriber.session.send(JSON.stringify(message))
    const refuse = (code: ErrorCode, detail: string, id: unknown) => say({ op: 'error', code, detail, ...(id === undefined ? {} : { id }) })
    let windowMs = performance.now()
    let count = 0
    socket.on('message', (data, isBinary) => {
      // One that is being closed is heard until its peer has said so too.
      if (socket.readyState !== socket.OPEN) return
      if (performance.now() - windowMs > 1_000) {
        windowMs = performance.now()
        count = 0
      }
      if (++count > messagesPerSecondMax) {
        http.socketDropped('rate_limited')
        refuse('rate_limited', `At most ${messagesPerSecondMax} messages a second.`, undefined)
        return socket.close(1008, 'rate_limited')
      }
      const text = (data as Buffer).toString('utf8')
      if (isBinary || text.length > messageMaxCharacters)
        return refuse('invalid_request', `Send text of at most ${messageMaxCharacters} characters.`, undefined)
      const request = parseRequest(text)
      if ('code' in request) return refuse(request.code, request.detail, request.id)
      const channels: Channel[] = []
      for (const name of request.channels) {
        const channel = parseChannel(name)
        if ('code' in channel) return refuse(channel.code, channel.detail, request.id)
        channels.push(channel)
      }
      const names = channels.map((channel) => channel.name)
      const answer = { channels: names, ...(request.id === undefined ? {} : { id: request.id }) }
      if (request.op === 'unsubscribe') {
        for (const topic of subscriber.topics) {
          if (names.includes(topic.channel.name)) leave(topics, topic, subscriber)
        }
        return say({ op: 'unsubscribed', ...answer })
      }
      const have = new Set([...subscriber.topics].map((topic) => topic.channel.name))
      if (new Set([...have, ...names]).size > subscriptionsMax)
        return refuse('invalid_request', `At most ${subscriptionsMax} channels on one socket.`, request.id)
      say({ op: 'subscribed', ...answer })
      for (const channel of channels) {
        if (have.has(channel.name)) continue
        have.add(channel.name)
        let topic = topics.get(channel.name)
        if (topic === undefined) topics.set(channel.name, (topic = { channel, sequence: 0, subscribers: new Set() }))
        topic.subscribers.add(subscriber)
        subscriber.topics.add(topic)
        if (!subscriber.session.send(snapshotMessage(topic))) subscriber.missed.add(topic)
      }
    })
  })

  servePriceSocket(http, feed, bounds)
}

/** `/ws/prices/:symbol`: the price as `GET /prices/{symbol}` answers it, at once and after every change. */
function servePriceSocket(http: HttpService, feed: MarketFeed, bounds: SocketBounds): void {
  const readers = new Map<string, Set<{ session: SocketSession; missed: boolean }>>()
  const message = (symbol: string) => {
    const data = snapshotOf({ name: '', kind: 'prices', symbol, interval: '1m' }, feed.state, Date.now())
    return data === null ? undefined : Buffer.from(JSON.stringify(data))
  }
  feed.onChange((changes) => {
    for (const symbol of changes.symbols) {
      const set = readers.get(symbol)
      if (set === undefined || set.size === 0) continue
      const text = message(symbol)
      if (text === undefined) continue
      for (const reader of set) {
        if (reader.missed || !reader.session.send(text)) reader.missed = true
      }
    }
  })
  http.socket('/ws/prices/:symbol', { access: 'public' }, (socket, call) => {
    const symbol = symbolFromPath(call.params['symbol'] ?? '')
    if (findMarket(symbol) === undefined) {
      socket.send(JSON.stringify({ op: 'error', code: 'symbol_not_found', detail: `There is no market ${symbol.slice(0, 25)}.` }))
      return socket.close(1008, 'symbol_not_found')
    }
    let set = readers.get(symbol)
    if (set === undefined) readers.set(symbol, (set = new Set()))
    const mine = set
    const send = () => {
      const text = message(symbol)
      if (text !== undefined) reader.missed = !reader.session.send(text)
    }
    const reader = { missed: false, session: new SocketSession(socket, bounds, send, () => mine.delete(reader)) }
    mine.add(reader)
    send()
  })
}

function leave(topics: Map<string, Topic>, topic: Topic, subscriber: Subscriber): void {
  topic.subscribers.delete(subscriber)
  subscriber.topics.delete(topic)
  subscriber.missed.delete(topic)
  if (topic.subscribers.size === 0) topics.delete(topic.channel.name)
}

type SocketRequest =
  | { op: 'subscribe' | 'unsubscribe'; channels: unknown[]; id?: string | number }
  | { code: ErrorCode; detail: string; id?: string | number }

function parseRequest(text: string): SocketRequest {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    return { code: 'invalid_json', detail: 'The message is not valid JSON.' }
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    return { code: 'invalid_request', detail: 'Send an object with op and channels.' }
  const { op, channels, id, ...rest } = body as Record<string, unknown>
  const known = typeof id === 'number' || (typeof id === 'string' && id.length <= 64) ? { id } : {}
  if (id !== undefined && !('id' in known)) return { code: 'invalid_request', detail: 'id: a number, or a text of at most 64 characters.' }
  const unknown = Object.keys(rest)[0]
  if (unknown !== undefined) return { code: 'invalid_request', detail: `${unknown.slice(0, 64)}: is not known here.`, ...known }
  if (op !== 'subscribe' && op !== 'unsubscribe')
    return { code: 'invalid_request', detail: 'op: must be subscribe or unsubscribe.', ...known }
  if (!Array.isArray(channels) || channels.length === 0)
    return { code: 'invalid_request', detail: 'channels: must be a list of at least one channel.', ...known }
  return { op, channels: channels as unknown[], ...known }
}
