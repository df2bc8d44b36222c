import exchange.core2.core.common.CoreSymbolSpecification;
import exchange.core2.core.common.L2MarketData;
import exchange.core2.core.common.OrderAction;
import exchange.core2.core.common.OrderType;
import exchange.core2.core.common.SymbolType;
import exchange.core2.core.common.cmd.CommandResultCode;
import exchange.core2.core.common.cmd.OrderCommand;
import exchange.core2.core.common.cmd.OrderCommandType;
import exchange.core2.core.common.config.ExchangeConfiguration;
import exchange.core2.core.orderbook.OrderBookDirectImpl;
import exchange.core2.core.processors.MatchingEngineRouter;
import exchange.core2.core.processors.RiskEngine;
import exchange.core2.core.processors.SharedPool;
import exchange.core2.core.processors.journaling.DummySerializationProcessor;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.StringJoiner;

/**
 * exchange-core beside Maru on the same stream, on one thread: its risk engine, its matching engine and its risk release called one after another for each
 * command, without the ring buffer that would spread them over cores. Reads the stream from the file named by the first argument; for each line on the
 * standard input it runs a round and prints the seconds and the digest of all books.
 */
public final class ExchangeCoreSide {
  private static final int RECORD_BYTES = 48;
  private static final int QUOTE = 1;

  private final ByteBuffer stream;
  private final int symbols;
  private final int users;
  private final int opening;
  private final int count;

  private ExchangeCoreSide(ByteBuffer stream) {
    this.stream = stream;
    this.symbols = stream.getInt(0);
    this.users = stream.getInt(4);
    this.opening = stream.getInt(8);
    this.count = stream.getInt(12);
  }

  public static void main(String[] arguments) throws Exception {
    ByteBuffer stream = ByteBuffer.wrap(Files.readAllBytes(Path.of(arguments[0]))).order(ByteOrder.LITTLE_ENDIAN);
    ExchangeCoreSide side = new ExchangeCoreSide(stream);
    BufferedReader asks = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String ask = asks.readLine(); ask != null; ask = asks.readLine()) System.out.println(side.round());
  }

  private String round() throws Exception {
    ExchangeConfiguration configuration = ExchangeConfiguration.defaultBuilder().build();
    SharedPool pool = SharedPool.createTestSharedPool();
    RiskEngine risk = new RiskEngine(0, 1, DummySerializationProcessor.INSTANCE, pool, configuration);
    MatchingEngineRouter matching =
        new MatchingEngineRouter(0, 1, DummySerializationProcessor.INSTANCE, OrderBookDirectImpl::new, pool, configuration);
    addSymbolsAndUsers(risk, matching);
    OrderCommand command = new OrderCommand();
    int at = 16;
    for (int number = 0; number < opening; number++, at += RECORD_BYTES) apply(risk, matching, command, at, number);
    long started = System.nanoTime();
    for (int number = opening; number < count; number++, at += RECORD_BYTES) apply(risk, matching, command, at, number);
    double seconds = (System.nanoTime() - started) / 1e9;
    return seconds + " " + digest(matching);
  }

  private void addSymbolsAndUsers(RiskEngine risk, MatchingEngineRouter matching) {
    for (int symbol = 0; symbol < symbols; symbol++) {
      CoreSymbolSpecification specification =
          CoreSymbolSpecification.builder()
              .symbolId(symbol + 1)
              .type(SymbolType.CURRENCY_EXCHANGE_PAIR)
              .baseCurrency(symbol + 2)
              .quoteCurrency(QUOTE)
              .baseScaleK(1)
              .quoteScaleK(1)
              .takerFee(2)
              .makerFee(1)
              .build();
      risk.getSymbolSpecificationProvider().addSymbol(specification);
      matching
          .getOrderBooks()
          .put(
              symbol + 1,
              matching
                  .getOrderBookFactory()
                  .create(specification, matching.getObjectsPool(), matching.getEventsHelper(), matching.getLoggingCfg()));
    }
    for (long user = 1; user <= users; user++) {
      risk.getUserProfileService().addEmptyUserProfile(user);
      for (int currency = 1; currency <= symbols + 1; currency++) {
        CommandResultCode code = risk.getUserProfileService().balanceAdjustment(user, currency, 1L << 53, currency);
        if (code != CommandResultCode.SUCCESS) throw new IllegalStateException("balance: " + code);
      }
    }
  }

  private void apply(RiskEngine risk, MatchingEngineRouter matching, OrderCommand command, int at, long number) {
    boolean isPlacing = stream.get(at) == 0;
    command.command = isPlacing ? OrderCommandType.PLACE_ORDER : OrderCommandType.CANCEL_ORDER;
    command.symbol = stream.getInt(at + 4);
    command.uid = stream.getLong(at + 8);
    command.orderId = stream.getLong(at + 16);
    command.action = stream.get(at + 1) == 0 ? OrderAction.BID : OrderAction.ASK;
    command.orderType = stream.get(at + 2) == 0 ? OrderType.GTC : OrderType.IOC;
    command.price = stream.getLong(at + 24);
    command.reserveBidPrice = command.price;
    command.size = stream.getLong(at + 32);
    command.timestamp = number;
    command.resultCode = CommandResultCode.NEW;
    command.matcherEvent = null;
    command.marketData = null;
    risk.preProcessCommand(number, command);
    matching.processOrder(number, command);
    risk.handlerRiskRelease(number, command);
    if (command.resultCode != CommandResultCode.SUCCESS) throw new IllegalStateException("command " + number + ": " + command.resultCode);
  }

  /** Of price and size of every level of every book, best first. */
  private String digest(MatchingEngineRouter matching) throws Exception {
    StringJoiner books = new StringJoiner("\n");
    for (int symbol = 1; symbol <= symbols; symbol++) {
      L2MarketData data = matching.getOrderBooks().get(symbol).getL2MarketDataSnapshot(Integer.MAX_VALUE);
      StringJoiner levels = new StringJoiner(",");
      for (int level = 0; level < data.bidSize; level++) levels.add(data.bidPrices[level] + ":" + data.bidVolumes[level]);
      for (int level = 0; level < data.askSize; level++) levels.add(data.askPrices[level] + ":" + data.askVolumes[level]);
      books.add(levels.toString());
    }
    StringBuilder hex = new StringBuilder();
    for (byte one : MessageDigest.getInstance("SHA-256").digest(books.toString().getBytes(StandardCharsets.UTF_8)))
      hex.append(String.format("%02x", one));
    return hex.toString();
  }
}
