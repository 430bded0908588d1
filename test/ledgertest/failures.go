package ledgertest

import (
	"pombo"
	"pombo/internal/ledger"
)

// failuresInARow: different people with the same failure are counted, over restarts
// and processes, until a message gets through.
func failuresInARow(f *fixture) {
	rows := f.newRows(6)
	rows[3].Phone, rows[3].Recipient = rows[2].Phone, rows[2].Recipient
	ids := f.enqueue(0, rows...)
	count := func(db *ledger.DB, i int, reason pombo.Reason, code int, want int) {
		f.Helper()
		got, err := db.Throttle.CountFailure(f.Context(), pombo.Failure{MessageID: ids[i], Reason: reason, Code: code})
		f.must(err)
		if got != want {
			f.Errorf("row %d: %d people in a row, want %d", i, got, want)
		}
	}
	f.must(f.db.Throttle.LoadFailures(f.Context()))
	count(f.db, 1, pombo.Unexplained, 139999, 1)
	count(f.db, 1, pombo.Unexplained, 139999, 1) // the same person
	count(f.db, 2, pombo.Unexplained, 139999, 2)
	count(f.db, 3, pombo.Unexplained, 139999, 2) // the same phone
	f.close()
	f.open()
	count(f.db, 4, pombo.Unexplained, 139999, 3)

	// A delivery of what was taken in before proves nothing; a later one does.
	f.must(f.db.Throttle.EndFailures(f.Context(), ids[0], false))
	f.must(f.db.Throttle.EndFailures(f.Context(), ids[5], true)) // Blip took it, as it took those that failed
	count(f.db, 0, pombo.Unexplained, 139999, 4)
	f.must(f.db.Throttle.EndFailures(f.Context(), ids[5], false))
	count(f.db, 1, pombo.Unexplained, 139999, 1)

	// Another failure begins anew.
	count(f.db, 2, pombo.Unexplained, 139998, 1)
	count(f.db, 4, pombo.Undeliverable, 139998, 1)

	// Of what Blip refuses, what it takes in between is the end.
	refused := func(i, want int) {
		f.Helper()
		got, err := f.db.Throttle.CountFailure(f.Context(), pombo.Failure{MessageID: ids[i], Reason: pombo.BadRequest, Code: 21, Refused: true})
		f.must(err)
		if got != want {
			f.Errorf("row %d: %d refusals in a row, want %d", i, got, want)
		}
	}
	refused(1, 1)
	refused(2, 2)
	f.must(f.db.Throttle.EndFailures(f.Context(), ids[4], true))
	refused(2, 1)

	// A person who resumes begins anew, and so does another process once it has looked.
	beside, err := ledger.Open(f.Context(), ledger.Options{URL: f.url, Now: f.clock.Now})
	f.must(err)
	defer func() { f.must(beside.Close()) }()
	f.must(beside.Throttle.LoadFailures(f.Context()))
	f.must(beside.Throttle.EndFailures(f.Context(), ids[5], false))
	count(f.db, 1, pombo.Unexplained, 139999, 1)
	count(beside, 2, pombo.Unexplained, 139999, 2)
	f.must(f.db.Throttle.Resume(f.Context()))
	count(f.db, 4, pombo.Unexplained, 139999, 1)

	_, err = f.db.Retention.Forget(f.Context(), rows[4].Phone, true)
	f.must(err)
	count(f.db, 1, pombo.Unexplained, 139999, 1)
}
