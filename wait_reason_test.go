package pombo

import (
	"slices"
	"testing"
)

// TestReason_WaitReason: every reason for which a row is put back has a wait reason.
func TestReason_WaitReason(t *testing.T) {
	want := map[Reason]WaitReason{
		NoReason: WaitScheduled, PairRate: WaitRate, RateLimited: WaitRate, Unauthorized: WaitBlip, NoAnswer: WaitBlip, TemplatePaused: WaitTemplate,
		TemplateMissing: WaitTemplate, Interrupted: WaitRetry, LeaseOver: WaitRetry, "quiet_hours": WaitQuietHours, "source_away": WaitSource,
	}
	for r, w := range want {
		if got := r.WaitReason(); got != w {
			t.Errorf("%q.WaitReason() = %s, want %s", r, got, w)
		}
	}
	for r := range sentences {
		if !slices.Contains(WaitReasons(), r.WaitReason()) {
			t.Errorf("%q.WaitReason() = %q, which is no word of the list", r, r.WaitReason())
		}
	}
	for _, w := range WaitReasons() {
		if w.Message() == "" || w.Hint() == "" {
			t.Errorf("%s has no sentence, or nothing to do", w)
		}
	}
}
