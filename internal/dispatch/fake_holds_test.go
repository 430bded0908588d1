package dispatch_test

import (
	"context"
	"slices"
	"time"

	"pombo"
)

// fakeHolds keeps what is known of templates.
type fakeHolds struct {
	*fakeCore
	holds map[string]pombo.TemplateHold
	saved []pombo.Template
}

func (f *fakeHolds) HoldTemplate(_ context.Context, h pombo.TemplateHold) error {
	unlock, err := f.enter("HoldTemplate")
	defer unlock()
	if err == nil {
		f.holds[h.Template] = h
	}
	return err
}

func (f *fakeHolds) ReleaseTemplate(_ context.Context, name string) (bool, error) {
	unlock, err := f.enter("ReleaseTemplate")
	defer unlock()
	_, held := f.holds[name]
	delete(f.holds, name)
	return held, err
}

func (f *fakeHolds) HeldTemplates(context.Context) (list []pombo.TemplateHold, err error) {
	unlock, err := f.enter("HeldTemplates")
	defer unlock()
	for _, h := range f.holds {
		if h.Until.IsZero() || time.Now().Before(h.Until) {
			list = append(list, h)
		}
	}
	return list, err
}

func (f *fakeHolds) SaveTemplates(_ context.Context, list []pombo.Template) error {
	unlock, err := f.enter("SaveTemplates")
	defer unlock()
	f.saved = slices.Clone(list)
	return err
}
