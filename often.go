package pombo

// Often is the value of the log field "often". It names a kind of failure that may
// come many times in a row, such as every outcome while the ledger's disk is
// full: the log writes the first record of a kind, then one a minute with the
// number of the others. It is a fixed word of the caller's; the field itself is
// not written.
type Often string
