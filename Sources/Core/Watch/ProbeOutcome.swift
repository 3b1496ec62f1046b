/// The outcome of one probe.
package enum ProbeOutcome: Equatable, Sendable {
  case answered(roundTrip: Duration)
  /// Something answered, but not what counts: a wrong status or body, ICMP "unreachable".
  case refused(String)
  /// It never left: no route, no buffer, no device. Says nothing about the path's far end.
  case couldNotSend(String)
}
