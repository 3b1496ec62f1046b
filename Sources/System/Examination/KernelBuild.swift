package import Core
internal import Glibc
package import RuleSets

/// What is known about the running kernel's build, from files only.
package enum KernelBuild {
  /// modules.dep of a distribution's kernel has some 600 KiB.
  static let largestList = 8 << 20

  /// - Parameter links: devices that are there: their kinds' modules are.
  package static func evidence(links: [InterfaceName: Link]) -> KernelEvidence {
    var evidence = KernelEvidence(release: release)
    evidence.configuration = text("/boot/config-\(evidence.release)").map { KernelEvidence.configuration($0) }
    let folder = "/lib/modules/\(evidence.release)"
    if let onDisk = text("\(folder)/modules.dep") {
      let builtIn = text("\(folder)/modules.builtin") ?? ""
      evidence.modules = KernelEvidence.modules(onDisk).union(KernelEvidence.modules(builtIn))
    }
    evidence.loaded = loaded(links)
    return evidence
  }

  private static var release: String {
    var name = utsname()
    guard uname(&name) == 0 else { return "an unknown kernel" }
    return withUnsafeBytes(of: &name.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }

  private static func text(_ path: String) -> String? {
    guard let bytes = try? BoundedFile.read(path, atMost: largestList) else { return nil }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// A built-in module also has a folder if it has parameters.
  private static func loaded(_ links: [InterfaceName: Link]) -> Set<String> {
    var names: Set<String> = []
    for module in KernelFeature.all.compactMap(\.module) where access("/sys/module/\(module)", F_OK) == 0 {
      names.insert(module)
    }
    for link in links.values {
      switch link.tunnel?.encapsulation {
      case .gre?: names.insert("ip_gre")
      case .ipip?: names.insert("ipip")
      case .xfrm?: names.insert("xfrm_interface")
      case nil: break
      }
    }
    return names
  }
}
