package ledger

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"pombo"
)

// The SQL is in files, one for each subject, where a DBA can read it. Each statement there has a
// name, by which it is run, and a comment that says what it is for. In both are the statements that
// the databases run alike; their parameters are written as PostgreSQL has them, $1, which is ?1 in
// SQLite. A statement that each database has its own of is in sqlite and in postgres, in the same
// place.

//go:embed both/*.sql sqlite/*.sql postgres/*.sql
var sqlFiles embed.FS

// statement is the name of a statement.
type statement string

// Every statement, by the file that it is in.
const (
	// In queue.sql.
	sqlEnqueue       statement = "enqueue"
	sqlLatest        statement = "latest"
	sqlEnqueueAgain  statement = "enqueue_again"
	sqlQueued        statement = "queued"
	sqlNextDue       statement = "next_due"
	sqlClaim         statement = "claim"
	sqlExpire        statement = "expire"
	sqlLate          statement = "late"
	sqlLapse         statement = "lapse"
	sqlBegin         statement = "begin"
	sqlFinish        statement = "finish"
	sqlWithdraw      statement = "withdraw"
	sqlStateOf       statement = "state_of"
	sqlReleaseParked statement = "release_parked"
	sqlUncertain     statement = "uncertain"
	sqlTakeUncertain statement = "take_uncertain"
	sqlPostpone      statement = "postpone"
	sqlRetry         statement = "retry"
	sqlHasten        statement = "hasten"
	sqlCorrect       statement = "correct"
	sqlCancel        statement = "cancel"

	// In settle.sql.
	sqlUnsettled     statement = "unsettled"
	sqlFallbackDue   statement = "fallback_due"
	sqlHandOver      statement = "hand_over"
	sqlNotHandedOver statement = "not_handed_over"
	sqlNothingOwed   statement = "nothing_owed"
	sqlSettled       statement = "settled"
	sqlSettleLater   statement = "settle_later"
	sqlSettleNever   statement = "settle_never"

	// In receipts.sql.
	sqlStanding         statement = "standing"
	sqlApply            statement = "apply"
	sqlResend           statement = "resend"
	sqlReplaced         statement = "replaced"
	sqlUndoResend       statement = "undo_resend"
	sqlSettlesAgain     statement = "settles_again"
	sqlHistoryOf        statement = "history_of"
	sqlPollDue          statement = "poll_due"
	sqlPolled           statement = "polled"
	sqlRememberIdentity statement = "remember_identity"
	sqlOtherFailures    statement = "other_failures"
	sqlCountFailure     statement = "count_failure"
	sqlEndFailures      statement = "end_failures"
	sqlFailures         statement = "failures"
	sqlClearFailures    statement = "clear_failures"

	// In replies.sql.
	sqlReplyKnown         statement = "reply_known"
	sqlReplyTarget        statement = "reply_target"
	sqlReplyNext          statement = "reply_next"
	sqlReplyCode          statement = "reply_code"
	sqlReplyCandidates    statement = "reply_candidates"
	sqlIdentityOf         statement = "identity_of"
	sqlPhoneOfIdentity    statement = "phone_of_identity"
	sqlSeqOfReference     statement = "seq_of_reference"
	sqlKeepReference      statement = "keep_reference"
	sqlKeepIdentity       statement = "keep_identity"
	sqlKeepReply          statement = "keep_reply"
	sqlAnswering          statement = "answering"
	sqlAnswer             statement = "answer"
	sqlSupersedeReply     statement = "supersede_reply"
	sqlReplyUnsure        statement = "reply_unsure"
	sqlReplyWritten       statement = "reply_written"
	sqlReplyUnwritten     statement = "reply_unwritten"
	sqlAnswered           statement = "answered"
	sqlReplyList          statement = "reply_list"
	sqlReplyListUnmatched statement = "reply_list_unmatched"
	sqlReplyListOf        statement = "reply_list_of"
	sqlReplyCounts        statement = "reply_counts"
	sqlForgetReplies      statement = "forget_replies"
	sqlForgetReplyPoll    statement = "forget_reply_poll"
	sqlRemoveReplies      statement = "remove_replies"
	sqlRemoveReferences   statement = "remove_references"
	sqlRemoveReplyPolls   statement = "remove_reply_polls"
	sqlStartReplyPoll     statement = "start_reply_poll"
	sqlReplyPollsDue      statement = "reply_polls_due"
	sqlReplyPollNext      statement = "reply_poll_next"

	// In guard.sql.
	sqlGuard          statement = "guard"
	sqlGuardAllowed   statement = "guard_allowed"
	sqlForgetSetBack  statement = "forget_set_back"
	sqlSetBack        statement = "set_back"
	sqlCountSetBack   statement = "count_set_back"
	sqlGuardSince     statement = "guard_since"
	sqlStopResends    statement = "stop_resends"
	sqlReleaseResends statement = "release_resends"
	sqlClearSetBack   statement = "clear_set_back"
	sqlGuardAllow     statement = "guard_allow"
	sqlSettleResends  statement = "settle_resends"
	sqlDropResends    statement = "drop_resends"
	sqlCancelResends  statement = "cancel_resends"

	// In runs.sql.
	sqlRunUnderWay statement = "run_under_way"
	sqlStartRun    statement = "start_run"
	sqlRunTaken    statement = "run_taken"
	sqlRunWaiting  statement = "run_waiting"
	sqlFinishRun   statement = "finish_run"
	sqlRun         statement = "run"
	sqlRuns        statement = "runs"
	sqlTally       statement = "tally"

	// In optouts.sql.
	sqlOptoutVersion  statement = "optout_version"
	sqlOptouts        statement = "optouts"
	sqlOptoutPage     statement = "optout_page"
	sqlOptoutOf       statement = "optout_of"
	sqlLockOptouts    statement = "lock_optouts"
	sqlCountOptouts   statement = "count_optouts"
	sqlPhoneOfBSUID   statement = "phone_of_bsuid"
	sqlWidenOptout    statement = "widen_optout"
	sqlAddBSUID       statement = "add_bsuid"
	sqlCompleteOptout statement = "complete_optout"
	sqlOptOut         statement = "opt_out"
	sqlOptIn          statement = "opt_in"
	sqlOptInIdentity  statement = "opt_in_identity"
	sqlPhoneOf        statement = "phone_of"
	sqlRememberBSUID  statement = "remember_bsuid"

	// In retention.sql.
	sqlRetire           statement = "retire"
	sqlErase            statement = "erase"
	sqlRemove           statement = "remove"
	sqlRemoveRuns       statement = "remove_runs"
	sqlRemoveBSUIDs     statement = "remove_bsuids"
	sqlSomeIdentities   statement = "some_identities"
	sqlRemoveIdentities statement = "remove_identities"
	sqlToPhone          statement = "to_phone"
	sqlForgetBSUID      statement = "forget_bsuid"
	sqlForgetFailure    statement = "forget_failure"
	sqlForgetIdentity   statement = "forget_identity"

	// In leases.sql.
	sqlRenew          statement = "renew"
	sqlOwners         statement = "owners"
	sqlClaimedBy      statement = "claimed_by"
	sqlReclaimClaimed statement = "reclaim_claimed"
	sqlReclaimSending statement = "reclaim_sending"
	sqlEndLeases      statement = "end_leases"
	sqlCheck          statement = "check"
	sqlPause          statement = "pause"
	sqlResume         statement = "resume"
	sqlPaused         statement = "paused"

	// In lineage.sql.
	sqlLose     statement = "lose"
	sqlNoteLoss statement = "note_loss"
	sqlWentBack statement = "went_back"
	sqlInDoubt  statement = "in_doubt"
	sqlTakenIn  statement = "taken_in"
	sqlNewest   statement = "newest"
	sqlEndDoubt statement = "end_doubt"
	sqlUsed     statement = "used"
	sqlKnows    statement = "knows"
	sqlRecover  statement = "recover"

	// In history.sql.
	sqlNotification       statement = "notification"
	sqlListNewest         statement = "list_newest"
	sqlListPart           statement = "list_part"
	sqlListPartByText     statement = "list_part_by_text"
	sqlListByKey          statement = "list_by_key"
	sqlListByPrefix       statement = "list_by_prefix"
	sqlListByID           statement = "list_by_id"
	sqlListByPhone        statement = "list_by_phone"
	sqlListInFlight       statement = "list_in_flight"
	sqlListWaiting        statement = "list_waiting"
	sqlListEnded          statement = "list_ended"
	sqlListHandedOver     statement = "list_handed_over"
	sqlPart               statement = "part"
	sqlCountKey           statement = "count_key"
	sqlCountPrefix        statement = "count_prefix"
	sqlCountWaiting       statement = "count_waiting"
	sqlCreatedFrom        statement = "created_from"
	sqlBacklog            statement = "backlog"
	sqlCreatedOf          statement = "created_of"
	sqlSampleLater        statement = "sample_later"
	sqlSampleUncertain    statement = "sample_uncertain"
	sqlSampleOwed         statement = "sample_owed"
	sqlReviewOpen         statement = "review_open"
	sqlReview             statement = "review"
	sqlReviewOne          statement = "review_one"
	sqlSaveReconciliation statement = "save_reconciliation"
	sqlLastReconciliation statement = "last_reconciliation"

	// In templates.sql.
	sqlTemplateLatest   statement = "template_latest"
	sqlTemplateNew      statement = "template_new"
	sqlTemplateSeen     statement = "template_seen"
	sqlTemplateAt       statement = "template_at"
	sqlTemplateVersions statement = "template_versions"
	sqlHoldTemplate     statement = "hold_template"
	sqlReleaseTemplate  statement = "release_template"
	sqlHeldTemplates    statement = "held_templates"
	sqlReachWaiting     statement = "reach_waiting"
	sqlReachArrived     statement = "reach_arrived"

	// In outbox.sql.
	sqlEventsDue       statement = "events_due"
	sqlEventAcked      statement = "event_acked"
	sqlEventLater      statement = "event_later"
	sqlEventGivenUp    statement = "event_given_up"
	sqlEventWrite      statement = "event_write"
	sqlEventSubject    statement = "event_subject"
	sqlEventsWaiting   statement = "events_waiting"
	sqlEventsOldest    statement = "events_oldest"
	sqlEventsGivenUp   statement = "events_given_up"
	sqlEventsList      statement = "events_list"
	sqlEventsRevive    statement = "events_revive"
	sqlEventsReplay    statement = "events_replay"
	sqlEventsHasten    statement = "events_hasten"
	sqlRemoveEvents    statement = "remove_events"
	sqlAlertSeen       statement = "alert_seen"
	sqlAlertRaise      statement = "alert_raise"
	sqlAlertsGone      statement = "alerts_gone"
	sqlAlertClear      statement = "alert_clear"
	sqlOutboxTemplates statement = "outbox_templates"
	sqlOutboxTemplate  statement = "outbox_template"

	// In bulk.sql.
	sqlBulkEnded      statement = "bulk_ended"
	sqlBulkWaiting    statement = "bulk_waiting"
	sqlBulkLater      statement = "bulk_later"
	sqlBulkDraw       statement = "bulk_draw"
	sqlBulkOpen       statement = "bulk_open"
	sqlBulkDropItems  statement = "bulk_drop_items"
	sqlBulkDrop       statement = "bulk_drop"
	sqlBulkNext       statement = "bulk_next"
	sqlBulkList       statement = "bulk_list"
	sqlBulkOne        statement = "bulk_one"
	sqlBulkLeft       statement = "bulk_left"
	sqlBulkItems      statement = "bulk_items"
	sqlBulkItemEnd    statement = "bulk_item_end"
	sqlBulkGeneration statement = "bulk_generation"
	sqlBulkCounts     statement = "bulk_counts"
	sqlBulkOutcome    statement = "bulk_outcome"
	sqlBulkStop       statement = "bulk_stop"
	sqlBulkFinish     statement = "bulk_finish"
	sqlBulkAdd        statement = "bulk_add"

	// In desk.sql.
	sqlDeskUser           statement = "desk_user"
	sqlDeskUsers          statement = "desk_users"
	sqlAddDeskUser        statement = "add_desk_user"
	sqlChangeDeskUser     statement = "change_desk_user"
	sqlSeeDeskUser        statement = "see_desk_user"
	sqlDeskSession        statement = "desk_session"
	sqlDeskSessions       statement = "desk_sessions"
	sqlSaveDeskSession    statement = "save_desk_session"
	sqlDeleteDeskSession  statement = "delete_desk_session"
	sqlUseOnce            statement = "use_once"
	sqlRemoveDeskSessions statement = "remove_desk_sessions"
	sqlRemoveUsed         statement = "remove_used"

	// In trail.sql.
	sqlWriteAudit  statement = "write_audit"
	sqlAudit       statement = "audit"
	sqlAuditAbout  statement = "audit_about"
	sqlRemoveAudit statement = "remove_audit"

	// In tallies.sql.
	sqlTallyPart       statement = "tally_part"
	sqlTallyFinal      statement = "tally_final"
	sqlClearTally      statement = "clear_tally"
	sqlClearLatency    statement = "clear_latency"
	sqlWriteTally      statement = "write_tally"
	sqlWriteLatency    statement = "write_latency"
	sqlNextTally       statement = "next_tally"
	sqlTallyCounted    statement = "tally_counted"
	sqlTallyLate       statement = "tally_late"
	sqlTallyWhole      statement = "tally_whole"
	sqlEndTally        statement = "end_tally"
	sqlTallyProgress   statement = "tally_progress"
	sqlTallies         statement = "tallies"
	sqlLatencies       statement = "latencies"
	sqlClearTallyDay   statement = "clear_tally_day"
	sqlClearLatencyDay statement = "clear_latency_day"
	sqlWriteTallyDay   statement = "write_tally_day"
	sqlWriteLatencyDay statement = "write_latency_day"
	sqlTallyDays       statement = "tally_days"
	sqlLatencyDays     statement = "latency_days"

	// In file.sql, for SQLite alone.
	sqlTakeOverLeases   statement = "take_over_leases"
	sqlTakeOverRuns     statement = "take_over_runs"
	sqlMark             statement = "mark"
	sqlChanges          statement = "changes"
	sqlCountMark        statement = "count_mark"
	sqlOutboxOfChange   statement = "outbox_of_change"
	sqlOutboxOfFallback statement = "outbox_of_fallback"
	sqlOutboxOfIntake   statement = "outbox_of_intake"

	// In shared.sql, for PostgreSQL alone.
	sqlClock             statement = "clock"
	sqlAcquireLeadership statement = "acquire_leadership"
	sqlReleaseLeadership statement = "release_leadership"
	sqlLed               statement = "led"
	sqlAcquireQuota      statement = "acquire_quota"
	sqlAcquireRecipient  statement = "acquire_recipient"
	sqlRecipientWait     statement = "recipient_wait"
	sqlPruneRecipients   statement = "prune_recipients"
	sqlPruneWriters      statement = "prune_writers"
	sqlEndOrphanRuns     statement = "end_orphan_runs"
	sqlEndOwnRuns        statement = "end_own_runs"
	sqlEndLease          statement = "end_lease"
	sqlEndLeadership     statement = "end_leadership"
	sqlForgetRecipient   statement = "forget_recipient"

	// In connection.sql, for PostgreSQL alone.
	sqlBeginTransaction     statement = "begin_transaction"
	sqlLimits               statement = "limits"
	sqlCountTransaction     statement = "count_transaction"
	sqlWriteEvents          statement = "write_events"
	sqlCommit               statement = "commit"
	sqlRollback             statement = "rollback"
	sqlLook                 statement = "look"
	sqlBackend              statement = "backend"
	sqlLastTransaction      statement = "last_transaction"
	sqlServer               statement = "server"
	sqlNotedServer          statement = "noted_server"
	sqlNoteServer           statement = "note_server"
	sqlNoticed              statement = "noticed"
	sqlSkipNumbers          statement = "skip_numbers"
	sqlPlace                statement = "place"
	sqlPlaceWithoutCluster  statement = "place_without_cluster"
	sqlPlaceWithoutTimeline statement = "place_without_timeline"
	sqlSchema               statement = "schema"
	sqlSchemaVersion        statement = "schema_version"
	sqlSynchronousCommit    statement = "synchronous_commit"
	sqlRights               statement = "rights"
	sqlMigrationLock        statement = "migration_lock"
	sqlStrangers            statement = "strangers"
)

// sqlConstants are the {names} in the files.
var sqlConstants = map[string]string{
	"Queued":     string(pombo.Queued),
	"Claimed":    string(pombo.Claimed),
	"Sending":    string(pombo.Sending),
	"Uncertain":  string(pombo.Uncertain),
	"Accepted":   string(pombo.Accepted),
	"Dispatched": string(pombo.Dispatched),
	"Delivered":  string(pombo.Delivered),
	"Read":       string(pombo.Read),
	"Failed":     string(pombo.Failed),
	"Cancelled":  string(pombo.Cancelled),
	"Expired":    string(pombo.Expired),
	"Suppressed": string(pombo.Suppressed),

	"ClassGuarded":    strconv.Itoa(classGuarded),
	"ClassOfPriority": strconv.Itoa(classOfPriority),
	"ClassParked":     strconv.Itoa(classParked),
	"ClassLowest":     "0",
	"ClassHighest":    strconv.Itoa(maxPriority),
	"ClassUncertain":  strconv.Itoa(classUncertain),
	"ClassCancelled":  strconv.Itoa(classCancelled),
	"ClassExpired":    strconv.Itoa(classExpired),

	"LeaseOver":         string(pombo.LeaseOver),
	"Interrupted":       string(pombo.Interrupted),
	"LedgerWentBack":    string(pombo.LedgerWentBack),
	"SetBackToPending":  string(pombo.SetBackToPending),
	"ResendGuard":       string(pombo.ResendGuard),
	"RetriedByOperator": string(pombo.RetriedByOperator),
	"CancelledByHand":   string(pombo.CancelledByHand),

	"SettleNone":      settleNone,
	"SettleResent":    settleResent,
	"SettleWithdrawn": settleWithdrawn,
	"SettleFallback":  settleFallback,

	"Unmatched": string(pombo.Unmatched),

	"MaxReleased":   strconv.Itoa(maxReleased),
	"GuardFar":      "CAST(" + strconv.FormatInt(guardFar, 10) + " AS bigint)",
	"BlipRemembers": strconv.FormatInt(blipRemembers.Milliseconds(), 10),
	"SchemaTable":   postgresVersions,
	"FileClock":     "CAST(unixepoch('subsec') * 1000 AS integer)", // what {DatabaseClock} is in both; SQLite is always given the time
	"DatabaseClock": "CAST(floor(extract(epoch FROM clock_timestamp()) * 1000) AS bigint)",
}

// Statement is a statement of the ledger, as it is run.
type Statement struct {
	Name    string
	Purpose string
	Text    string
}

// Statements returns every statement that is run on the ledger with this address, for a
// DBA. It does not connect.
func Statements(url string) ([]Statement, error) {
	folder, err := databaseOf(url)
	if err != nil {
		return nil, err
	}
	return readStatements(folder)
}

// The databases that a ledger can be in, as the folders of their SQL are called, and the folder
// of what they have in common.
const (
	inBoth     = "both"
	inSQLite   = "sqlite"
	inPostgres = "postgres"
)

var errAddress = errors.New("its address has to begin with sqlite: or postgres: (LEDGER_URL, for instance sqlite:data/pombo.db)")

// databaseOf returns the database that an address leads to. The address itself, which may
// have a password in it, is not in the error.
func databaseOf(url string) (string, error) {
	switch scheme, _, _ := strings.Cut(url, ":"); scheme {
	case "sqlite":
		return inSQLite, nil
	case "postgres", "postgresql":
		return inPostgres, nil
	}
	return "", errAddress
}

// catalogue has the text of each statement in one database.
type catalogue map[statement]string

// text returns a statement's text. A test checks that each exists in each database that runs it.
func (c catalogue) text(s statement) string {
	text, ok := c[s]
	if !ok {
		panic("ledger: no statement is called " + string(s))
	}
	return text
}

var (
	sqliteCatalogue   = sync.OnceValue(func() catalogue { return newCatalogue(inSQLite) })
	postgresCatalogue = sync.OnceValue(func() catalogue { return newCatalogue(inPostgres) })
)

func newCatalogue(folder string) catalogue {
	list, err := readStatements(folder)
	if err != nil {
		panic(err) // the files are part of the program
	}
	c := make(catalogue, len(list))
	for _, s := range list {
		c[statement(s.Name)] = s.Text
	}
	return c
}

// readStatements returns the statements of a database: those of its own and those that both
// have.
func readStatements(folder string) (list []Statement, err error) {
	for _, of := range []string{inBoth, folder} {
		files, err := fs.Glob(sqlFiles, of+"/*.sql")
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			text, err := fs.ReadFile(sqlFiles, file)
			if err != nil {
				return nil, err
			}
			if of == inBoth && folder == inSQLite {
				text = parameter.ReplaceAll(text, []byte("?$1"))
				text = bytes.ReplaceAll(text, []byte("{DatabaseClock}"), []byte("{FileClock}"))
			}
			some, err := parseStatements(string(text))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			list = append(list, some...)
		}
	}
	return list, nil
}

var parameter = regexp.MustCompile(`\$(\d+)`)

const nameLine = "-- name: "

// parseStatements reads a file of statements. Each begins with a line that names it, and with
// comments that say what it is for; it ends where the next one begins.
func parseStatements(file string) (list []Statement, err error) {
	file = strings.ReplaceAll(file, "\r\n", "\n")
	_, file, _ = strings.Cut(file, "\n"+nameLine)
	for part := range strings.SplitSeq(file, "\n"+nameLine) {
		name, text, _ := strings.Cut(part, "\n")
		s := Statement{Name: name}
		for {
			comment, rest, _ := strings.Cut(text, "\n")
			line, isComment := strings.CutPrefix(comment, "--")
			if !isComment {
				break
			}
			s.Purpose, text = strings.TrimSpace(s.Purpose+" "+strings.TrimSpace(line)), rest
		}
		if s.Purpose, err = withConstants(s.Purpose); err != nil {
			return nil, err
		}
		if s.Text, err = withConstants(strings.TrimSuffix(strings.TrimSpace(text), ";")); err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

var constantName = regexp.MustCompile(`\{\w+\}`)

func withConstants(text string) (string, error) {
	var err error
	text = constantName.ReplaceAllStringFunc(text, func(name string) string {
		value, ok := sqlConstants[name[1:len(name)-1]]
		if !ok {
			err = fmt.Errorf("no constant is called %s", name)
		}
		return value
	})
	return text, err
}
