import Agent
import Core
import KernelGrounds
import Testing

@Suite("Settings of devices")
struct SettingTests {
  private func paths(of device: InterfaceName) -> [(InterfaceSetting.Key, String)] {
    InterfaceSetting.Key.allCases.map { key in
      (
        key,
        "/proc/sys/"
          + key.rawValue.split(separator: "/").map { $0 == "IF" ? device.text : String($0) }.joined(separator: "/")
      )
    }
  }

  /// Where the kernel tells them they are in one long array each, and a number of the wrong place would go unnoticed.
  @Test("are told as their files say, each for itself", arguments: InterfaceSetting.Key.allCases)
  func asInFiles(_ changed: InterfaceSetting.Key) throws {
    try RealGround.with { ground in
      let wan = try #require(InterfaceName("wan0"))
      try ground.addDevice(wan, address: InterfaceAddress("192.0.2.2/24"))
      for (_, path) in paths(of: wan) { try ground.shell("echo 0 > \(path)") }
      for (key, path) in paths(of: wan) where key == changed { try ground.shell("echo 1 > \(path)") }
      let settings = try ground.kernel.read(expecting: nil).settings
      for key in InterfaceSetting.Key.allCases {
        #expect(settings[InterfaceSetting(wan, key)] == (key == changed ? 1 : 0), "\(key.rawValue)")
      }
    }
  }
}
