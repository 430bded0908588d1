package pombo

import "testing"

// TestReason_WaitReason repeats what a row that was put back waits for.
func TestReason_WaitReason(t *testing.T) {
	want := map[Reason]WaitReason{
		NoReason: WaitScheduled, PairRate: WaitRate, RateLimited: WaitRate, Unauthorized: WaitBlip, NoAnswer: WaitBlip, TemplatePaused: WaitTemplate,
		TemplateMissing: WaitTemplate, Interrupted: WaitRetry, LeaseOver: WaitRetry, QuietHours: WaitQuietHours, SourceAway: WaitSource,
		TemplateRefused: WaitTemplate, TemplateMismatch: WaitTemplate, ResendGuard: WaitResends, "because": WaitRetry,
	}
	for r, w := range want {
		if got := r.WaitReason(); got != w {
			t.Errorf("%q.WaitReason() = %s, want %s", r, got, w)
		}
	}
}
