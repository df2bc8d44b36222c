// On every page: where prices come from, unless they are those of real markets.

const notices = {
  synthetic: 'SYNTHETIC MARKET: prices are invented.',
  replay: 'REPLAY: prices are of recorded data.',
}

const sources = await fetch('/api/market-data/sources').then(
  (response) => (response.ok ? response.json() : undefined),
  () => undefined,
)
if (sources?.mode !== 'live') {
  const notice = document.createElement('p')
  notice.className = 'notice'
  notice.setAttribute('role', 'status')
  // Silence would claim that prices are real.
  notice.textContent = notices[sources?.mode] ?? 'Where prices come from is not known yet.'
  if (notices[sources?.mode]) notice.append(` ${sources.reason}`)
  document.querySelector('main').prepend(notice)
}
