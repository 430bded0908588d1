package health

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pombo"
	"pombo/internal/words"
)

// TestHeadlines has one moment, or more, for each headline. Each of them holds
// although those that come after it in the list would hold too.
func TestHeadlines(t *testing.T) {
	ago := func(d time.Duration) time.Time { return noon.Add(-d) }
	states := func(f *Snapshot, queued, ready int) {
		f.Backlog.States = map[pombo.State]int{pombo.Queued: queued}
		f.Backlog.Ready = ready
	}
	seen := map[HeadlineName]bool{}
	for _, test := range []struct {
		change func(*Snapshot)
		name   HeadlineName
		level  Level
		pt, en string
	}{
		{func(f *Snapshot) { f.Progress.Ledger, f.Paused = ago(3*time.Minute), true }, HeadlineLedger, Bad,
			"O ledger não é gravado há 3 minutos: nada é enviado. Disco cheio ou sem permissão?",
			"The ledger has not been written for 3 minutes: nothing is sent. Is the disk full or read-only?"},
		{func(f *Snapshot) { f.Paused, f.Pause = true, pombo.Pause{By: "blip", Reason: pombo.Unauthorized} }, HeadlineRefused, Bad,
			"Nada é enviado desde 11:00: o Blip recusa a chave.",
			"Nothing has been sent since 11:00: Blip refuses the key."},
		{func(f *Snapshot) {
			f.Paused, f.Pause = true, pombo.Pause{By: "blip", Reason: pombo.Forbidden, Until: noon.Add(time.Hour)}
		}, HeadlineRefused, Bad,
			"Nada é enviado desde 11:00: o bot não tem permissão para fazer isso. Volta às 13:00.",
			"Nothing has been sent since 11:00: the bot is not allowed to do this. It resumes at 13:00."},
		{func(f *Snapshot) { f.Paused, f.Pause = true, pombo.Pause{By: "operator", Detail: "troca do servidor"} }, HeadlinePaused, Warn,
			"O envio foi pausado por um operador: “troca do servidor”. Sem hora para voltar.",
			"Sending was paused by an operator: “troca do servidor”. No end is set."},
		{func(f *Snapshot) {
			f.Paused, f.Pause = true, pombo.Pause{By: "blip", Reason: pombo.RateLimited, Until: noon.Add(24 * time.Hour)}
		}, HeadlinePaused, Warn,
			"O envio foi pausado pelo Blip: passou-se do ritmo que o Blip permite. Até 24/11 12:00.",
			"Sending was paused by Blip: Blip's rate limit was exceeded. Until 2026-11-24 12:00."},
		{func(f *Snapshot) {
			f.Paused, f.Pause = true, pombo.Pause{By: "pombo", Reason: pombo.Unexplained, Detail: "the same failure for 20 people in a row"}
		}, HeadlinePaused, Bad,
			"O envio foi pausado pelo Pombo, depois de muitas falhas iguais seguidas: o Blip deu um motivo que o Pombo não conhece. Sem hora para voltar.",
			"Sending was paused by Pombo after too many equal failures in a row: Blip gave a reason that Pombo does not know. No end is set."},
		{func(f *Snapshot) { f.Paused, f.Pause = true, pombo.Pause{By: "ana"} }, HeadlinePaused, Warn,
			"O envio foi pausado por ana. Sem hora para voltar.", "Sending was paused by ana. No end is set."},
		{func(f *Snapshot) { f.Progress.Blip, f.Progress.BlipAt = pombo.BlipUnreachable, ago(time.Second) }, HeadlineBlip, Bad,
			"O Blip não pode ser usado desde 11:00: sem conexão com o Blip; nada foi enviado. 10 esperam; nada se perde.",
			"Blip has not been usable since 11:00: no connection to Blip; nothing was sent. 10 wait; nothing is lost."},
		{func(*Snapshot) {}, HeadlineStuck, Bad,
			"10 podem ir e nada anda há 60 minutos, sem explicação. Veja o log e reinicie o serviço: nada se perde nem dobra.",
			"10 may go and nothing has moved for 60 minutes; nothing explains it. Look at the log and restart the service: that loses and doubles nothing."},
		{func(f *Snapshot) { states(f, 0, 0); f.Progress.Intake = ago(2 * time.Minute) }, HeadlineSource, Bad,
			"A tabela não pode ser lida há 2 minutos: nada entra. 0 na fila.",
			"The table has not been readable for 2 minutes: nothing is taken in. 0 queued."},
		{func(f *Snapshot) { states(f, 0, 0); f.Progress.TakenIn = ago(20 * time.Minute) }, HeadlineNobodyCalls, Warn,
			"Ninguém busca linhas há 20 minutos: o job está rodando?", "Nobody has looked for rows for 20 minutes: is the job running?"},
		{func(f *Snapshot) {
			states(f, 0, 0)
			f.Progress.TakenIn, f.Events = ago(time.Minute), pombo.OutboxBacklog{Waiting: 1, GivenUp: 2}
		}, HeadlineEvents, Warn,
			"Os sistemas da empresa não são avisados: 3 eventos não foram aceitos em EVENTS_URL. As mensagens seguem; 0 na fila.",
			"The company's systems are not told: EVENTS_URL has not taken 3 events. Messages go on; 0 queued."},
		{func(f *Snapshot) {
			states(f, 0, 0)
			f.Progress.TakenIn, f.Progress.PassEvery = ago(20*time.Minute), 15*time.Minute
		}, HeadlineIdle, OK, "Nada a enviar. Última busca às 11:40.", "Nothing to send. Last looked for rows at 11:40."},
		{func(f *Snapshot) {
			states(f, 0, 0)
			f.Progress.TakenIn, f.Progress.PassEvery = ago(2*time.Minute), 5*time.Minute
		}, HeadlineIdle, OK, "Nada a enviar. Última busca às 11:58; a próxima por volta das 12:03.", "Nothing to send. Last looked for rows at 11:58; next at about 12:03."},
		{func(f *Snapshot) { states(f, 0, 0); f.Progress.Started = ago(time.Minute) }, HeadlineIdle, OK,
			"Nada a enviar. Nenhuma busca desde o início, às 11:59.", "Nothing to send. Nobody has looked for rows since the start at 11:59."},
		{func(f *Snapshot) { states(f, 0, 0); f.Shared = true }, HeadlineIdle, OK, "Nada a enviar.", "Nothing to send."},
		{func(f *Snapshot) {
			states(f, 12480, 12480)
			f.Progress.Moved, f.Progress.Accepted = ago(time.Second), ago(time.Second)
			f.Progress.Pace = Pace{Over: 100 * time.Second, Attempts: 4400, Ended: 4400, Accepted: 4400}
		}, HeadlineSending, OK, "Enviando a 44 por segundo. 12.480 na fila; termina por volta das 12:05.", "Sending at 44 a second. 12,480 queued; done at about 12:05."},
		{func(f *Snapshot) {
			states(f, 100, 100)
			f.Progress.Moved = ago(time.Second)
			f.Progress.Pace = Pace{Over: 100 * time.Second, Attempts: 50, Ended: 50, Accepted: 50, TakenIn: 12.5}
		}, HeadlineSending, Warn, "Enviando a 0,5 por segundo. 100 na fila; cresce 12 por segundo: não termina.", "Sending at 0.5 a second. 100 queued; it grows by 12 a second and does not end."},
		{func(f *Snapshot) {
			f.Progress.Moved = ago(time.Second)
			f.Progress.Pace = Pace{Over: time.Minute, Attempts: 50}
		}, HeadlineSending, Warn, "Enviando a 0 por segundo. 10 na fila; não avança.", "Sending at 0 a second. 10 queued; it does not move."},
		{func(f *Snapshot) {
			f.Shared, f.Progress.Moved = true, ago(time.Second)
			f.Progress.Pace = Pace{Over: 10 * time.Second, Attempts: 440, Ended: 440, Accepted: 440}
		}, HeadlineSending, OK, "Enviando a 44 por segundo. 10 na fila.", "Sending at 44 a second. 10 queued."}, // others empty the same queue
		{func(f *Snapshot) { f.Progress.Moved = ago(time.Second) }, HeadlineSending, OK, "Enviando. 10 na fila.", "Sending. 10 queued."},
		{func(f *Snapshot) {
			states(f, 312, 0)
			f.Backlog.Later = map[pombo.WaitReason]int{pombo.WaitTemplate: 312}
			f.Progress.TakenIn = ago(time.Minute)
		}, HeadlineTemplate, Warn, "Só esperam 312 mensagens cujo modelo não pode ser enviado agora. Veja os modelos.",
			"All that waits is 312 messages whose template cannot be sent now. Look at the templates."},
		{func(f *Snapshot) {
			states(f, 1, 0)
			f.Backlog.Later = map[pombo.WaitReason]int{pombo.WaitQuietHours: 1}
			f.Progress.TakenIn = ago(time.Minute)
		}, HeadlineQuiet, OK, "É horário de silêncio onde as pessoas moram; 1 vai depois.", "It is a quiet time where the people live; 1 is sent after it."},
		{func(f *Snapshot) {
			states(f, 9, 0)
			f.Backlog.Later = map[pombo.WaitReason]int{pombo.WaitResends: 9}
			f.Progress.TakenIn = ago(time.Minute)
		}, HeadlineWaiting, Warn, "9 na fila, e ainda nada a enviar: muitas voltaram a pendentes em um minuto.",
			"9 queued and nothing to send yet: many were set back to pending within a minute."},
		{func(f *Snapshot) {
			states(f, 9, 0)
			f.Backlog.Later = map[pombo.WaitReason]int{pombo.WaitScheduled: 9}
			f.Progress.TakenIn = ago(time.Minute)
		}, HeadlineWaiting, OK, "9 na fila, e ainda nada a enviar: a hora delas não chegou.", "9 queued and nothing to send yet: their time has not come."},
	} {
		got := waiting(test.change).Headline()
		seen[got.Name] = true
		if got.Name != test.name || got.Level != test.level {
			t.Errorf("headline = %s, %s, want %s, %s (%s)", got.Name, got.Level, test.name, test.level, test.en)
		}
		if s := words.In(words.Portuguese).Say(got.What); s != test.pt {
			t.Errorf("%s in pt-BR: %q, want %q", got.Name, s, test.pt)
		}
		if s := words.In(words.English).Say(got.What); s != test.en {
			t.Errorf("%s in en: %q, want %q", got.Name, s, test.en)
		}
	}
	for _, name := range HeadlineNames() {
		if !seen[name] {
			t.Errorf("no case of %s", name)
		}
	}
	if got := LedgerAway(); got.Name != HeadlineLedger || words.In(words.Portuguese).Say(got.What) != "O ledger não responde: nada é enviado." {
		t.Errorf("without a snapshot: %+v", got)
	}
}

// TestAlerts_SpeakBothLanguages: no alert has its English in Portuguese, and the list of
// their names has each of them.
func TestAlerts_SpeakBothLanguages(t *testing.T) {
	ago := noon.Add(-3 * time.Hour)
	var seen []string
	for _, f := range []Snapshot{
		waiting(func(f *Snapshot) {
			f.Paused, f.Pause = true, pombo.Pause{By: "pombo", Reason: pombo.Unauthorized, Until: noon.Add(time.Hour)}
			f.Backlog = pombo.Backlog{States: map[pombo.State]int{pombo.Queued: 5, pombo.Uncertain: 1}, Oldest: ago, Resends: 2, Due: 3, DueSince: ago,
				UncheckedSince: ago, UncertainSince: ago, WentBack: noon.Add(-time.Minute), Later: map[pombo.WaitReason]int{pombo.WaitTemplate: 5}}
			p := &f.Progress
			p.Ledger, p.Intake, p.RejectedRows, p.RejectedSince, p.Finished, p.NoReceiptsSince, p.Recategorized = ago, ago, pombo.MostRowProblems, ago, 4, ago, []string{"aviso"}
		}),
		waiting(func(f *Snapshot) { f.Shared, f.Progress.RejectedRows, f.Progress.RejectedSince = true, 1, ago }),
		waiting(func(f *Snapshot) {
			f.Paused, f.Pause.Reason, f.Events.GivenUp, f.DiskFree = true, pombo.AccountLimited, 1, new(uint64(999_999_999))
		}),
	} {
		for _, a := range f.Alerts() {
			seen = append(seen, a.Name)
			pt := words.In(words.Portuguese)
			if what, todo := pt.Say(a.What), pt.Say(a.Todo); what == a.Message || todo == a.Hint || what == "" || todo == "" {
				t.Errorf("%s in Portuguese: %q, %q", a.Name, what, todo)
			}
			if en := words.In(words.English); en.Say(a.What) != a.Message || en.Say(a.Todo) != a.Hint {
				t.Errorf("%s: Message and Hint are not What and Todo: %+v", a.Name, a)
			}
		}
	}
	slices.Sort(seen)
	if want := slices.Sorted(slices.Values(AlertNames())); !slices.Equal(slices.Compact(seen), want) {
		t.Errorf("alerts = %q, AlertNames = %q", slices.Compact(seen), want)
	}
	if a := LedgerSilent(); words.In(words.Portuguese).Say(a.What) == a.Message || a.Hint == "" {
		t.Errorf("without a snapshot: %+v", a)
	}
}

func TestForecast(t *testing.T) {
	const s = time.Second
	for _, test := range []struct {
		name string
		pace Pace
		left int
		want string
	}{
		{"nothing measured", Pace{}, 10, ""},
		{"nineteen messages", Pace{Over: 100 * s, Attempts: 19, Ended: 19}, 100, ""},
		{"too soon", Pace{Over: s, Attempts: 40, Ended: 40}, 100, ""},
		{"rounded to a minute", Pace{Over: 10 * s, Attempts: 20, Ended: 20}, 2*60 + 1, "done at about 12:02"},
		{"rounded to five", Pace{Over: 10 * s, Attempts: 20, Ended: 20}, 2 * 16 * 60, "done at about 12:20"},
		{"rounded to a quarter", Pace{Over: 10 * s, Attempts: 20, Ended: 20}, 2*120*60 + 1, "done at about 14:15"},
		{"what comes in lasts longer", Pace{Over: 10 * s, Attempts: 20, Ended: 20, TakenIn: 1}, 2 * 16 * 60, "done at about 12:35"},
		{"as much as goes", Pace{Over: 10 * s, Attempts: 20, Ended: 20, TakenIn: 2}, 5000, ""},
		{"more than goes", Pace{Over: 10 * s, Attempts: 20, Ended: 20, TakenIn: 14}, 5000, "it grows by 12 a second and does not end"},
		{"all tried again", Pace{Over: 10 * s, Attempts: 20}, 10, "it does not move"},
		{"a few tried again", Pace{Over: 10 * s, Attempts: 19}, 10, ""},
		{"another day", Pace{Over: 10 * s, Attempts: 20, Ended: 20}, 2 * 24 * 3600, "done at about 2026-11-24 12:00"},
	} {
		if got := words.In(words.English).Say(test.pace.forecast(noon, test.left)); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// TestPace: only the run of attempts under way counts, five minutes of it at most.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tracker := NewTracker(0, time.Second)
		send := func(seconds int, to ...pombo.State) {
			for range seconds {
				time.Sleep(time.Second)
				for _, s := range to {
					tracker.AttemptEnded(pombo.Outcome{To: s})
				}
			}
		}
		send(60, pombo.Accepted)
		time.Sleep(time.Minute) // a break
		if p := tracker.Progress().Pace; p.Attempts != 0 {
			t.Errorf("after a break: %+v, want nothing", p)
		}
		send(100, pombo.Accepted, pombo.Failed, pombo.Queued)
		got, want := tracker.Progress().Pace, Pace{Over: 99 * time.Second, Attempts: 300, Ended: 200, Accepted: 100}
		if got != want {
			t.Errorf("pace = %+v, want %+v", got, want)
		}
		tracker.TookIn(3000) // one batch
		send(1000, pombo.Accepted)
		if p := tracker.Progress().Pace; p.Over > 5*time.Minute || p.Over < 4*time.Minute || float64(p.Accepted)/p.Over.Seconds() < 0.98 || float64(p.Accepted)/p.Over.Seconds() > 1.02 {
			t.Errorf("pace = %+v, want one a second for nearly five minutes", p)
		}
		for range 300 { // a stream of two a second, where a batch was none
			tracker.TookIn(2)
			send(1, pombo.Accepted)
		}
		if p := tracker.Progress().Pace; p.TakenIn < 1.85 || p.TakenIn > 2.15 {
			t.Errorf("taken in %.2f a second, want 2", p.TakenIn)
		}
		send(200, pombo.Accepted)
		tracker.TookIn(3000)
		if p := tracker.Progress().Pace; p.TakenIn > 2 {
			t.Errorf("taken in %.2f a second after one batch, want no stream", p.TakenIn)
		}
	})
}

func TestHeadlineNames_AllDiffer(t *testing.T) {
	names := slices.Sorted(slices.Values(HeadlineNames()))
	if n := len(names); n != len(slices.Compact(names)) {
		t.Errorf("%q has a name twice", HeadlineNames())
	}
}
