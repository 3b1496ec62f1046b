// swift-tools-version: 6.2
import PackageDescription

// Rings, from the outside in: backhaul ▶ System ▶ Agent ▶ Core ▶ RuleSets, which the orchestrator shares. Leaves
// (Netlink, Transfer, VICI, Cryptography) know nothing of routers and are used by System alone. A target can import only
// what stands in its `dependencies`, so the compiler keeps the rings.

let fast: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .treatAllWarnings(as: .error),
]

// A router's flash is small, and the hot path is system calls: size first.
let strict = fast + [.unsafeFlags(["-Osize", "-Xfrontend", "-function-sections"], .when(configuration: .release))]

/// For what is in the product. A single search in text by the library's `contains` would bring in all of its regular
/// expressions, 1.2 MB, so here the compiler does not know it (`containsText` does without).
let lean = strict + [.unsafeFlags(["-Xfrontend", "-disable-implicit-string-processing-module-import"])]

/// A tenth off the binary: nobody looks up symbols in it, and its 44,000 relocations pack into a bitmap (DT_RELR, glibc
/// 2.36). gold, which swiftc would take, cannot do that, and lld cannot take these scripts. What no-unwind.ld leaves out is
/// another seventh. The tables that the loader fills in are read-only from then on (relro, now).
let small: [LinkerSetting] = [
  .unsafeFlags(
    [
      "-use-ld=bfd", "-Xlinker", "-z", "-Xlinker", "pack-relative-relocs", "-Xlinker", "-z", "-Xlinker", "relro",
      "-Xlinker", "-z", "-Xlinker", "now", "-Xlinker", "--no-export-dynamic",
      "-Xlinker", "-T", "-Xlinker", "\(Context.packageDirectory)/packaging/no-unwind.ld",
      "-Xlinker", "-T", "-Xlinker", "\(Context.packageDirectory)/packaging/read-only.ld",
      // The little that Swift's runtime needs of the C++ library becomes a part of the program.
      "-L\(Context.packageDirectory)/packaging/link", "-Xclang-linker", "-static-libgcc",
    ],
    .when(configuration: .release))
]

let package = Package(
  name: "backhaul",
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
  ],
  targets: [
    // C: module maps and shims only.
    .systemLibrary(name: "CMnl", pkgConfig: "libmnl", providers: [.apt(["libmnl-dev"])]),
    .systemLibrary(name: "CNftnl", pkgConfig: "libnftnl", providers: [.apt(["libnftnl-dev"])]),
    .target(name: "CCurl"),
    .target(name: "CCrypto"),
    .target(name: "CLinux"),
    .target(name: "CNoFoundation", cSettings: [.define("WITHOUT_FOUNDATION", .when(configuration: .release))]),

    // Leaves.
    .target(name: "Netlink", dependencies: ["CMnl", "CNftnl", "CLinux"], swiftSettings: lean),
    .target(name: "Transfer", dependencies: ["CCurl", "CLinux"], swiftSettings: lean),
    .target(name: "VICI", dependencies: ["CLinux"], swiftSettings: lean),
    .target(name: "Cryptography", dependencies: ["CCrypto"], swiftSettings: lean),

    // Rings.
    .target(name: "RuleSets", swiftSettings: lean),
    .target(name: "Core", dependencies: ["RuleSets"], swiftSettings: lean),
    .target(name: "Agent", dependencies: ["RuleSets", "Core"], swiftSettings: lean),
    .target(
      name: "System",
      dependencies: [
        "RuleSets", "Core", "Agent", "Netlink", "Transfer", "VICI", "Cryptography", "CLinux",
        .product(name: "Logging", package: "swift-log"),
      ], swiftSettings: lean),
    .executableTarget(
      name: "backhaul",
      dependencies: [
        "RuleSets", "Core", "Agent", "System", "CNoFoundation",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
      ], swiftSettings: lean, linkerSettings: small),

    .testTarget(
      name: "CommandTests",
      dependencies: [
        "RuleSets", "Core", "Agent", "System", "backhaul",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),
    // Tests. `Fakes` are kernels that refuse what Linux refuses, and the contracts that both must keep.
    .target(name: "CNamespace", path: "Tests/CNamespace"),
    .target(name: "SeededRandom", path: "Tests/SeededRandom", swiftSettings: strict),
    .target(name: "Fakes", dependencies: ["RuleSets", "Core", "Agent"], path: "Tests/Fakes", swiftSettings: strict),
    .testTarget(name: "FakesTests", dependencies: ["RuleSets", "Core", "Fakes"], swiftSettings: strict),
    .target(
      name: "KernelGrounds", dependencies: ["RuleSets", "Core", "Agent", "System", "Fakes", "CNamespace"],
      path: "Tests/KernelGrounds", swiftSettings: strict),
    .testTarget(
      name: "KernelTests", dependencies: ["RuleSets", "Core", "Agent", "System", "Netlink", "Fakes", "KernelGrounds"],
      swiftSettings: strict),
    .testTarget(
      name: "TunnelTests", dependencies: ["RuleSets", "Core", "Agent", "Fakes", "KernelGrounds"], swiftSettings: strict),
    .testTarget(name: "NetlinkTests", dependencies: ["Netlink", "CMnl", "CNftnl"], swiftSettings: strict),
    .testTarget(name: "VICITests", dependencies: ["VICI", "CLinux", "SeededRandom"], swiftSettings: strict),
    .testTarget(name: "CryptographyTests", dependencies: ["Cryptography"], swiftSettings: strict),
    .testTarget(
      name: "AgentTests", dependencies: ["RuleSets", "Core", "Agent", "Fakes", "SeededRandom"], swiftSettings: strict),
    .testTarget(name: "CoreTests", dependencies: ["RuleSets", "Core", "SeededRandom"], swiftSettings: strict),
    .testTarget(
      name: "RuleSetTests", dependencies: ["RuleSets", "Core", "System", "SeededRandom"], swiftSettings: strict),
    // Describes the rule set's fields, and makes every mistake in them, for Tests/fields and Tests/schema.
    .executableTarget(
      name: "backhaul-fields", dependencies: ["RuleSets"], path: "Tests/FieldsProgram",
      swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])]),
    .testTarget(
      name: "DataPlaneTests", dependencies: ["RuleSets", "Core", "Fakes", "SeededRandom"], swiftSettings: strict),
    // A world on a virtual clock for the machines of Core, and the invariants that hold in it.
    .target(
      name: "Simulation", dependencies: ["RuleSets", "Core", "Agent"], path: "Tests/Simulation",
      // A million faults are a hundred million accesses; the debug build checks each of them.
      swiftSettings: fast + [.unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))]),
    .executableTarget(
      name: "backhaul-simulate", dependencies: ["Simulation"], path: "Tests/Simulate",
      swiftSettings: fast + [.unsafeFlags(["-parse-as-library"])]),
    .testTarget(name: "SimulationTests", dependencies: ["Simulation"], swiftSettings: strict),
    .testTarget(
      name: "SystemTests",
      dependencies: ["RuleSets", "Core", "Agent", "System", "Netlink", "Transfer", "VICI", "Fakes", "CLinux"],
      swiftSettings: strict),
  ],
  swiftLanguageModes: [.v6]
)

// libFuzzer brings its own main function and a sanitizer's runtime, so only `Tests/run` builds these.
func fuzzTarget(_ name: String, _ folder: String, of dependency: Target.Dependency) -> Target {
  .executableTarget(
    name: name, dependencies: [dependency], path: "Tests/Fuzz/\(folder)",
    swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])])
}

// Then there is nothing else but what they need, so that one `swift build` makes them all.
if Context.environment["BACKHAUL_FUZZ"] != nil {
  package.targets.removeAll { $0.type == .test || $0.type == .executable || ($0.path ?? "").hasPrefix("Tests/") }
  package.targets += [
    fuzzTarget("fuzz-rule-set", "RuleSet", of: "RuleSets"),
    fuzzTarget("fuzz-configuration", "Configuration", of: "System"),
    fuzzTarget("fuzz-journal", "Journal", of: "Core"),
    fuzzTarget("fuzz-icmp", "ICMP", of: "System"),
    fuzzTarget("fuzz-netlink", "Netlink", of: "Netlink"),
    fuzzTarget("fuzz-vici", "VICI", of: "VICI"),
    fuzzTarget("fuzz-local-socket", "LocalSocket", of: "System"),
    fuzzTarget("fuzz-time-zone", "TimeZone", of: "Core"),
  ]
}

// `Tests/run tsan` builds nothing but this: with everything else a sanitizer's build takes a quarter of an hour.
if Context.environment["BACKHAUL_TSAN"] != nil {
  package.targets.removeAll { !["RuleSets", "Core", "Agent", "Fakes", "SeededRandom", "AgentTests"].contains($0.name) }
  package.targets.append(.target(name: "SeenMutex", path: "Tests/SeenMutex"))
  package.targets.append(.executableTarget(name: "PlantedRace", path: "Tests/PlantedRace"))
  for target in package.targets where target.name == "AgentTests" {
    target.dependencies.append("SeenMutex")
    // Ten times slower: fewer of what is tried by chance.
    target.swiftSettings = (target.swiftSettings ?? []) + [.define("SANITIZED")]
  }
}
