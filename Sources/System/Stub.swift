internal import Agent
internal import Core
struct LinuxTraffic: TrafficPort {
  init() throws {}; func traffic() throws(KernelFailure) -> [InterfaceName: Traffic] { [:] }
}
