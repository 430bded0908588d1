// Chaos does to Pombo what a bad year does, in minutes, and then counts: is a
// row lost, is a message doubled?
//
// It starts the real binary on a table of pending rows, with a pretend Blip that
// lives in this process and so survives every kill. Then it kills the binary
// (SIGKILL), stops it (SIGSTOP), cuts and delays answers, takes Blip, the table
// and the ledger away, fills the disk and moves the clock, at random and at each
// step of the road, and starts it again each time. At the end it leaves Pombo alone
// until all is done, and compares the table with what Blip has taken.
//
//	go run ./test/chaos                        20,000 rows and 60 kills on each ledger
//	go run ./test/chaos -rows 1000000 -kills 1000
//	go run ./test/chaos -ledger postgres -seed 7
//
// The binary has no hooks for this. To hit a step, the harness watches from outside (what
// Blip receives, what is committed) and kills at that moment; afterwards it reads from the
// ledger, the table and Blip where the kill really hit, and prints only that. The same seed
// gives the same faults in the same order and the same fate to each POST; where in the
// program a fault hits is up to the machine.
//
// It exits with 1 when a row is lost or doubled, and prints the history of each.
package main
