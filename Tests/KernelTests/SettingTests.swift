import Agent
import Core
import KernelGrounds
internal import RuleSets
import Testing

@Suite("Settings of devices")
struct SettingTests {
  /// Of each device by itself.
  private static let keys = InterfaceSetting.Key.allCases.filter { !$0.isOfAllAlone }

  private func paths(of device: InterfaceName) -> [(InterfaceSetting.Key, String)] {
    Self.keys.map { key in
      (
        key,
        "/proc/sys/"
          + key.rawValue.split(separator: "/").map { $0 == "IF" ? device.text : String($0) }.joined(separator: "/")
      )
    }
  }

  /// The kernel reports them in one long array each, where a wrong index would go unnoticed.
  @Test("are reported one by one, as their files say", arguments: Self.keys)
  func asInFiles(_ changed: InterfaceSetting.Key) throws {
    try RealGround.with { ground in
      let wan = try #require(InterfaceName("wan0"))
      try ground.addDevice(wan, address: InterfaceAddress("192.0.2.2/24"))
      for (_, path) in paths(of: wan) { try ground.shell("echo 0 > \(path)") }
      for (key, path) in paths(of: wan) where key == changed { try ground.shell("echo 1 > \(path)") }
      let settings = try ground.kernel.read(expecting: nil).settings
      for key in Self.keys {
        #expect(settings[InterfaceSetting(wan, key)] == (key == changed ? 1 : 0), "\(key.rawValue)")
      }
    }
  }

  @Test(
    "for all devices together are reported, changed and put back",
    arguments: InterfaceSetting.Key.allCases.filter(\.isOfAllAlone))
  func ofAll(_ key: InterfaceSetting.Key) throws {
    try RealGround.with { ground in
      let all = try #require(InterfaceSetting.all)
      let setting = InterfaceSetting(all, key)
      #expect(try ground.kernel.read(expecting: nil).settings[setting] == 0)
      try ground.kernel.apply(.changeSettings([setting: 1]))
      #expect(try ground.kernel.read(expecting: nil).settings[setting] == 1)
      #expect(ground.kernel.rememberedSettings().values == [setting: 0])
      try ground.kernel.apply(.restoreSettings([setting]))
      #expect(try ground.kernel.read(expecting: nil).settings[setting] == 0)
    }
  }
}
