import Core
import Fakes
internal import RuleSets
import Synchronization
import Testing

@testable import Agent

@Suite struct MetricsTests {
  private func page(_ bench: WatchBench) async -> String {
    var reading = MetricsReading(
      watch: await bench.watch.snapshot(), version: "1.2.3", started: Instant(nanoseconds: 0))
    for event in bench.events.all { reading.events.noted(event) }
    return String(decoding: MetricsWriter.page(reading), as: UTF8.self)
  }

  private func value(_ sample: String, _ page: String) -> Double? {
    page.split(separator: "\n").first { $0.hasPrefix(sample + " ") }
      .flatMap { Double($0.dropFirst(sample.count + 1)) }
  }

  @Test func afterAFailoverTheCountersSayWhatHappened() async throws {
    let bench = try WatchBench()
    bench.prober.set(bench.a, .answers(.milliseconds(2)))
    try await bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(10))
    bench.prober.set(bench.a, .silent)
    bench.loop.advance(by: .seconds(20))
    let page = await page(bench)
    #expect(value("backhaul_rule_mode{rule=\"office\",mode=\"fallback\"}", page) == 1)
    #expect(value("backhaul_rule_mode{rule=\"office\",mode=\"backhaul\"}", page) == 0)
    #expect(value("backhaul_rule_flips_total{rule=\"office\",kind=\"failover\"}", page) == 1)
    #expect(value("backhaul_rule_failovers_total{rule=\"office\",cause=\"probes\"}", page) == 1)
    #expect(value("backhaul_rule_failovers_total{rule=\"office\",cause=\"device\"}", page) == 0)
    #expect(value("backhaul_rule_preferred{rule=\"office\"}", page) == 0)
    #expect(value("backhaul_path_state{path=\"a\",state=\"down\"}", page) == 1)
    #expect(value("backhaul_path_state{path=\"a\",state=\"up\"}", page) == 0)
    #expect(value("backhaul_path_rtt_seconds{path=\"a\"}", page) == 0.002)
    #expect(value("backhaul_events_total{kind=\"failover\"}", page) == 1)
    #expect(value("backhaul_build_info{version=\"1.2.3\"}", page) == 1)
    let fallback = try #require(value("backhaul_rule_mode_seconds_total{rule=\"office\",mode=\"fallback\"}", page))
    #expect((19...20).contains(fallback))
    let probe = "{probe=\"a\",path=\"a\"}"
    let sent = try #require(value("backhaul_probe_sent_total\(probe)", page))
    let answered = try #require(value("backhaul_probe_answered_total\(probe)", page))
    let lost = try #require(value("backhaul_probe_lost_total\(probe)", page))
    #expect((99...101).contains(answered) && (195...205).contains(lost))
    #expect(sent >= answered + lost)
    #expect(value("backhaul_probe_rtt_seconds_count\(probe)", page) == answered)
    let sum = try #require(value("backhaul_probe_rtt_seconds_sum\(probe)", page))
    #expect(abs(sum - answered * 0.002) < 1e-9)
  }

  @Test func aDeviceThatGoesIsAnotherCause() async throws {
    let bench = try WatchBench()
    bench.prober.set(bench.a, .answers(.milliseconds(2)))
    try await bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(1))
    await bench.watch.linkChanged(bench.a, bench.link(carrier: false))
    bench.loop.advance(by: .seconds(1))
    #expect(value("backhaul_rule_failovers_total{rule=\"office\",cause=\"device\"}", await page(bench)) == 1)
  }

  @Test func aTunnelsKeysAreInOneState() async throws {
    let bench = try WatchBench()
    var reading = MetricsReading(
      watch: await bench.watch.snapshot(), version: "1", started: Instant(nanoseconds: 0))
    let name = try #require(Name("fra-a"))
    reading.tunnels = [
      MeteredTunnel(
        name: name, kind: "ipsec", isUp: true, traffic: Traffic(bytesIn: 7, bytesOut: .max),
        keys: TunnelAssociations())
    ]
    reading.charonAnswers = false
    let page = String(decoding: MetricsWriter.page(reading), as: UTF8.self)
    #expect(value("backhaul_charon_up", page) == 0)
    #expect(value("backhaul_tunnel_up{tunnel=\"fra-a\",kind=\"ipsec\"}", page) == 1)
    #expect(value("backhaul_tunnel_receive_bytes_total{tunnel=\"fra-a\"}", page) == 7)
    #expect(value("backhaul_tunnel_ike_state{tunnel=\"fra-a\",state=\"none\"}", page) == 1)
    #expect(value("backhaul_tunnel_ike_state{tunnel=\"fra-a\",state=\"established\"}", page) == 0)
    #expect(value("backhaul_tunnel_child_state{tunnel=\"fra-a\",state=\"none\"}", page) == 1)
  }

  @Test func eachFamilyIsReportedOnce() async throws {
    let bench = try WatchBench()
    try await bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    let families = await page(bench).split(separator: "\n").filter { $0.hasPrefix("# TYPE ") }
    #expect(families.count > 40)
    #expect(Set(families).count == families.count)
  }

  @Test func askingAgainAtOnceGivesTheSamePage() async throws {
    let bench = try WatchBench()
    let box = Box()
    let watch = await bench.watch.snapshot()
    let pages = MetricsPages(now: { box.time.withLock { $0 } }) {
      box.reads.withLock { $0 += 1 }
      return MetricsReading(watch: watch, version: "1", started: Instant(nanoseconds: 0))
    }
    await withTaskGroup { group in for _ in 0..<50 { group.addTask { _ = await pages.page() } } }
    #expect(box.reads.withLock { $0 } == 1)
    box.time.withLock { $0 = $0 + MetricsPages.lifetime }
    _ = await pages.page()
    #expect(box.reads.withLock { $0 } == 2)
  }

  @Test func aPageThatTookLongIsNotTakenForOneOfNow() async throws {
    let bench = try WatchBench()
    let box = Box()
    let watch = await bench.watch.snapshot()
    let (gate, opener) = AsyncStream<Void>.makeStream()
    let pages = MetricsPages(now: { box.time.withLock { $0 } }) {
      let number = box.reads.withLock { reads in
        reads += 1
        return reads
      }
      if number == 1 { for await _ in gate { break } }
      return MetricsReading(watch: watch, version: "\(number)", started: Instant(nanoseconds: 0))
    }
    let slow = Task { await pages.page() }
    #expect(try await soon { box.reads.withLock { $0 } == 1 })
    box.time.withLock { $0 = $0 + MetricsPages.lifetime }
    let late = Task { await pages.page() }
    opener.yield()
    let (before, after) = (await slow.value, await late.value)
    #expect(String(decoding: before, as: UTF8.self).contains("backhaul_build_info{version=\"1\"}"))
    #expect(String(decoding: after, as: UTF8.self).contains("backhaul_build_info{version=\"2\"}"))
    #expect(await pages.page() == after)
  }

  /// Waits until `condition` holds, for ten seconds at most.
  private func soon(_ condition: () async -> Bool) async throws -> Bool {
    for _ in 0..<1_000 {
      if await condition() { return true }
      try await Task.sleep(for: .milliseconds(10))
    }
    return false
  }

  @Test func whatCannotBeWrittenIsReportedOnceAndTriedAgain() async throws {
    let bench = try WatchBench()
    let watch = await bench.watch.snapshot()
    let pages = MetricsPages(now: { Instant(nanoseconds: 0) }) {
      MetricsReading(watch: watch, version: "1", started: Instant(nanoseconds: 0))
    }
    let machine = FakeMetricsMachine()
    machine.fail(with: StoreFailure(operation: "write /m.prom.new", cause: "No space left on device"))
    let configuration = MetricsConfiguration(
      listener: .unix(path: "/m.sock"), textfile: "/m.prom", textfileInterval: .milliseconds(1))
    let events = RecordedEvents()
    let export = MetricsExport(
      configuration, port: FakeMetrics(configuration, on: machine), pages: pages, events: events,
      surroundings: StillSurroundings())
    let running = Task { await export.run() }
    #expect(try await soon { events.count(.metricsFailed) > 0 })
    #expect(try await soon { await machine.scrape() != nil }, "a full disk is no matter of who asks")
    machine.fail(with: nil)
    #expect(try await soon { events.count(.metricsRecovered) > 0 })
    #expect(machine.file == (await machine.scrape()))
    running.cancel()
    await running.value
    #expect(!machine.isListenedOn)
    #expect(events.count(.metricsFailed) == 1 && events.count(.metricsRecovered) == 1)
  }

  private final class Box: Sendable {
    let reads = Mutex(0)
    let time = Mutex(Instant(nanoseconds: 0))
  }
}
