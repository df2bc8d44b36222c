import type { NotificationKind } from '@maru/contracts/http/notification'
import { figure, type Template } from './figures.ts'

const side = (data: Readonly<Record<string, unknown>>): string => (data['side'] === 'SELL' ? '매도' : '매수')

const order = (data: Readonly<Record<string, unknown>>): string => `${figure(data, 'symbol')} ${figure(data, 'quantity')} ${side(data)}`

export const korean: Record<NotificationKind, Template> = {
  welcome: (data) => ({
    title: `${figure(data, 'username')}님, 마루에 오신 것을 환영합니다`,
    body: '거래 계좌가 개설되었습니다. 잔고와 시장을 둘러보고 준비가 되면 첫 주문을 내 보세요.',
  }),
  order_filled: (data) => ({
    title: `체결 완료: ${order(data)}`,
    body: `주문 ${figure(data, 'order_id')}이(가) 모두 체결되었습니다. 체결 수량 ${figure(data, 'filled_quantity')}, 평균 체결가 ${figure(data, 'average_price')}.`,
  }),
  order_partially_filled: (data) => ({
    title: `일부 체결: ${order(data)}`,
    body: `주문 ${figure(data, 'order_id')}의 수량 ${figure(data, 'quantity')} 가운데 ${figure(data, 'filled_quantity')}이(가) 체결되었습니다. 평균 체결가 ${figure(data, 'average_price')}.`,
  }),
  order_rejected: (data) => ({
    title: `주문 거부: ${order(data)}`,
    body: `주문 ${figure(data, 'order_id')}이(가) 거부되었습니다 (${figure(data, 'reject_code')}).`,
  }),
  order_cancelled: (data) => ({
    title: `주문 취소: ${order(data)}`,
    body: `주문 ${figure(data, 'order_id')}이(가) 취소되었습니다. 취소 전 체결 수량: ${figure(data, 'quantity')} 가운데 ${figure(data, 'filled_quantity')}.`,
  }),
  order_expired: (data) => ({
    title: `주문 만료: ${order(data)}`,
    body: `주문 ${figure(data, 'order_id')}이(가) 만료되었습니다. 만료 전 체결 수량: ${figure(data, 'quantity')} 가운데 ${figure(data, 'filled_quantity')}.`,
  }),
  stop_triggered: (data) => ({
    title: `스톱 발동: ${order(data)}`,
    body: `주문 ${figure(data, 'order_id')}의 스톱 가격 ${figure(data, 'stop_price')}에 도달하여 시장에 주문이 나갔습니다.`,
  }),
  funds_moved: (data) => {
    const amount = figure(data, 'amount')
    const out = amount.startsWith('-')
    const sum = `${out ? amount.slice(1) : amount} ${figure(data, 'asset')}`
    return {
      title: `${out ? '출금' : '입금'}: ${sum}`,
      body: `${out ? '계좌에서' : '계좌에'} ${sum}이(가) ${out ? '출금' : '입금'}되었습니다. 사용 가능 잔액: ${figure(data, 'available')} ${figure(data, 'asset')}.`,
    }
  },
}
