// Chaos does to Pombo what a bad year does, in minutes, and then counts: is a
// row lost, is a message doubled?
//
// It starts the real binary on a table of pending rows, with a pretend Blip that
// lives in this process and so outlives every kill. Then it kills the binary
// (SIGKILL), stops it (SIGSTOP), cuts and delays answers, takes Blip, the table
// and the ledger away, fills the disk and moves the clock, at random and at each
// step of the road, and starts it again each time. At last it leaves Pombo alone
// until all is done, and compares the table with what Blip has taken.
//
//	go run ./test/chaos                        20,000 rows and 60 kills on each ledger
//	go run ./test/chaos -rows 1000000 -kills 1000
//	go run ./test/chaos -ledger postgres -seed 7
//
// The binary has no hooks for this. A step is hit by watching from outside (what
// Blip receives, what is committed) and killing at that moment; where the kill
// really fell is read afterwards from the ledger, the table and Blip, and only
// that is printed. The same seed gives the same faults in the same order, and the
// same fate to each POST; where in the program a fault falls is up to the machine.
//
// It ends with 1 when a row is lost or doubled, and tells the story of each.
package main
