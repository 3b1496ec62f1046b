import Core
internal import RuleSets

extension KernelGround {
  /// Main's more specific routes: the devices' own subnets, other programs' routes, the best of several to one prefix;
  /// and which lead out.
  func sitesTold() throws {
    let (lan, wan) = (try Sample.device("lan0"), try Sample.device("wan0"))
    try addDevice(lan, address: try Sample.interfaceAddress("192.168.10.1/24"))
    try addDevice(wan, address: try Sample.interfaceAddress("192.0.2.2/24"))
    func foreign(
      _ prefix: String, _ device: InterfaceName, metric: UInt32 = 0, _ table: TableID = .main
    ) throws {
      try addForeign(
        TableRoute(
          table: table, destination: try Sample.prefix(prefix), metric: RouteMetric(metric),
          way: .out(device: device, gateway: nil)))
    }
    try foreign("128.0.0.0/1", wan)
    try foreign("198.18.0.0/15", lan, metric: 50)
    try foreign("198.18.0.0/15", wan, metric: 40)
    try foreign("0.0.0.0/0", lan, TableID(52))
    let actual = try read()
    typealias Site = MainSites<IPv4Prefix>.Site
    try expect(
      actual.sites.all,
      is: [
        Site(try Sample.prefix("128.0.0.0/1"), devices: [wan], isConnected: true),
        Site(try Sample.prefix("192.0.2.0/24"), devices: [wan], isConnected: true),
        Site(try Sample.prefix("192.168.10.0/24"), devices: [lan], isConnected: true),
        Site(try Sample.prefix("198.18.0.0/15"), devices: [wan], metric: RouteMetric(40), isConnected: true),
      ], "sites")
    try expect(actual.sites.areMore, is: false, "there are more")
    try expect(actual.exits, is: [lan, wan], "ways out")
  }
}
