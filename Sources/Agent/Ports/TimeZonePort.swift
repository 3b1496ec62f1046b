package import Core

/// The router's time zone, which schedules follow. Called from any thread; each call reads at most two small files, never
/// waits, and changes nothing.
///
/// Contract: as the C library finds it for a service, which has no `TZ`. `/etc/localtime` is a TZif file, or a link to one.
/// Where there is none, `/etc/TZ` has a POSIX text: so OpenWrt says it. Where there is neither, it is UTC. A link that leads
/// nowhere is none. What is there but cannot be read, is no regular file, is too large or makes no sense throws, and the
/// other file is not asked.
package protocol TimeZonePort: Sendable {
  func timeZone() throws(StoreFailure) -> RouterTimeZone
}
