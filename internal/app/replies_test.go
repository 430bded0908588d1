package app

import (
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pombo"
	"pombo/test/nightly"
)

// answers takes an answer to a message, as a webhook does, and gives it time to reach its row.
func (s *harness) answers(id pombo.MessageID, text pombo.Private) {
	s.Helper()
	s.answered++
	_, err := s.ledger.Replies.Take(s.Context(), []pombo.Inbound{{ID: strconv.Itoa(s.answered), Kind: pombo.ReplyButton, Text: text, RepliesTo: []pombo.MessageID{id}, At: time.Now()}})
	s.must(err)
	s.engine.Signals.Moved()
	s.pass(10 * time.Second)
}

// wantAnswers checks what stands in the table, in the order of its rows.
func (s *harness) wantAnswers(want ...string) {
	s.Helper()
	rows, err := s.rows.QueryContext(s.Context(), `SELECT coalesce(DS_RESPOSTA, '') FROM NOTIFICACAO ORDER BY ID`)
	s.must(err)
	defer func() { s.must(rows.Close()) }()
	var got []string
	for rows.Next() {
		var text string
		s.must(rows.Scan(&text))
		got = append(got, text)
	}
	s.must(rows.Err())
	if diff := cmp.Diff(want, got); diff != "" {
		s.Errorf("answers in the table (-want +got):\n%s", diff)
	}
}

// Answers reach their rows beside or over the code that Pombo has written, and no other one.
func TestReplies_ReachTheirRows(t *testing.T) {
	t.Parallel() // it waits most of the time
	inBubble(t, 4, map[pombo.State]string{pombo.Read: "5"}, func(s *harness) {
		s.takeIn(4)
		s.exec(`UPDATE NOTIFICACAO SET CD_STATUS = 9 WHERE ID = 3`)
		s.answers(s.id(1, 1), "CONFIRMAR")
		s.answers(s.id(2, 1), "a que horas?")
		s.answers(s.id(3, 1), "Confirmar")
		s.wantCodes(7, 2, 9, 2)
		s.wantAnswers("CONFIRMAR", "a que horas?", "", "")
		for row := range 3 {
			_, err := s.ledger.Receipts.Apply(s.Context(), []pombo.Receipt{{MessageID: s.id(row+1, 1), State: pombo.Read, At: time.Now()}})
			s.must(err)
		}
		s.engine.Signals.Moved()
		s.pass(10 * time.Second)
		s.wantCodes(7, 5, 9, 2)
		s.answers(s.id(1, 1), "não vou")
		s.answers(s.id(2, 1), "Não vou")
		s.wantCodes(8, 8, 9, 2)
		s.wantAnswers("não vou", "Não vou", "", "")
		s.takeIn(0)
		if got := s.findings(); len(got) != 1 || got[0] != pombo.RowDiverged {
			t.Errorf("findings = %v, want the row that its owner has changed", got)
		}

		// Set back to pending, a row is about another message.
		s.exec(`UPDATE NOTIFICACAO SET CD_STATUS = 1 WHERE ID = 1`)
		s.takeIn(1)
		s.answers(s.id(1, 1), "Confirmar")
		s.wantCodes(2, 8, 9, 2)
		s.answers(s.id(1, 2), "Confirmar")
		s.wantCodes(7, 8, 9, 2)
	})
}

// A process dies between the change of a row and its record, more than once.
func TestReplies_SurviveKills(t *testing.T) {
	nightly.WithoutRace(t)
	t.Parallel() // it waits most of the time
	inBubble(t, 2, nil, func(s *harness) {
		s.takeIn(2)
		// As long as the table is away nothing is settled; what each process wrote and could not
		// record is written here by hand.
		s.exec(`ALTER TABLE NOTIFICACAO RENAME TO AWAY`)
		s.answers(s.id(1, 1), "Confirmar")
		s.answers(s.id(2, 1), "Confirmar")
		s.exec(`UPDATE AWAY SET CD_STATUS = 7, DS_RESPOSTA = 'Confirmar' WHERE ID = 1`)
		s.answers(s.id(1, 1), "Não vou")
		s.exec(`ALTER TABLE AWAY RENAME TO NOTIFICACAO`)
		s.pass(5 * time.Minute)
		s.wantCodes(8, 7)
		s.wantAnswers("Não vou", "Confirmar")
		if got := s.findings(); len(got) != 0 {
			t.Errorf("findings = %v, want none", got)
		}
	})
}

// What reminds of a row that has an answer is not sent, whether the answer comes before it is
// taken in or while it waits.
func TestReplies_EndReminders(t *testing.T) {
	nightly.WithoutRace(t)
	t.Parallel() // it waits most of the time
	inBubble(t, 5, map[pombo.State]string{pombo.Expired: "6"}, func(s *harness) {
		s.exec(`UPDATE NOTIFICACAO SET ID_LEMBRADA = ID - 2, CD_STATUS = 0 WHERE ID > 2`)
		s.exec(`UPDATE NOTIFICACAO SET ID_LEMBRADA = NULL WHERE ID = 5`)
		s.takeIn(2)
		s.answers(s.id(1, 1), "Confirmar")
		s.exec(`UPDATE NOTIFICACAO SET CD_STATUS = 1 WHERE ID > 2`)
		s.must(s.engine.Throttle.Pauser.Pause(s.Context(), pombo.Pause{By: "operator"}))
		s.takeIn(3)
		s.answers(s.id(2, 1), "Não vou")
		s.must(s.engine.Throttle.Pauser.Resume(s.Context()))
		s.pass(time.Minute)
		s.wantCodes(7, 8, 6, 6, 2)
		s.stands(s.id(3, 1), pombo.Cancelled, pombo.Withdrawn)
		s.stands(s.id(4, 1), pombo.Cancelled, pombo.Withdrawn)
		s.takeIn(0)
		if got := s.times(s.id(3, 1)) + s.times(s.id(4, 1)); got != 0 || len(s.sent) != 3 {
			t.Errorf("reminders were sent %d times, %d messages in all; want 0 and 3", got, len(s.sent))
		}
	})
}
