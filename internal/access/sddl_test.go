package access

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStrangers(t *testing.T) {
	t.Parallel()
	const maria = "S-1-5-21-1004336348-1177238915-682003330-1107"
	pombo := ServiceSID("pombo")
	everybody := []Grant{{SID: everyone, Read: true, Change: true}}
	for name, test := range map[string]struct {
		sddl string
		want []Grant
	}{
		"as the service makes its folder": {"O:BAG:BAD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1301bf;;;" + pombo + ")", nil},
		"as the service makes .env":       {"D:PAI(A;;FA;;;SY)(A;;FA;;;BA)(A;;FR;;;" + pombo + ")", nil},
		// C:\pombo made by hand on a client and on a server.
		"Windows 11": {
			"O:BAG:DUD:AI(A;ID;FA;;;BA)(A;OICIIOID;GA;;;BA)(A;ID;FA;;;SY)(A;OICIIOID;GA;;;SY)(A;OICIID;0x1200a9;;;BU)(A;ID;0x1301bf;;;AU)(A;OICIIOID;SDGXGWGR;;;AU)",
			[]Grant{{SID: "S-1-5-32-545", Read: true}, {SID: "S-1-5-11", Read: true, Change: true}},
		},
		"Windows Server": {
			"O:BAG:DUD:AI(A;OICIID;FA;;;SY)(A;OICIID;FA;;;BA)(A;OICIID;0x1200a9;;;BU)(A;CIID;LC;;;BU)(A;CIID;DC;;;BU)(A;OICIIOID;GA;;;CO)",
			[]Grant{{SID: "S-1-5-32-545", Read: true, Change: true}},
		},
		"one person":                   {"O:BAG:BAD:P(A;;FA;;;BA)(A;;FR;;;" + maria + ")", []Grant{{SID: maria, Read: true}}},
		"the owner":                    {"O:" + maria + "G:BAD:P(A;;FA;;;BA)(A;;FR;;;" + maria + ")", nil},
		"domain's administrators":      {"D:P(A;;FA;;;DA)(A;;FR;;;S-1-5-21-1-2-3-512)", nil},
		"a disk without lists":         {"O:BAG:BAD:NO_ACCESS_CONTROL", everybody},
		"no list":                      {"O:BAG:BA", everybody},
		"nobody at all":                {"O:BAG:BAD:P", nil},
		"nobody, and an audit":         {"O:BAG:BAD:PS:AI(AU;SAFA;FA;;;WD)", nil},
		"who may take it over":         {"D:P(A;;WO;;;BU)", []Grant{{SID: "S-1-5-32-545", Read: true, Change: true}}},
		"who may see it is there":      {"D:P(A;;0x100080;;;WD)", nil},
		"refused":                      {"D:P(D;;FR;;;BU)(A;;FR;;;BU)", nil},
		"refused too late":             {"D:P(A;;FR;;;BU)(D;;FR;;;BU)", []Grant{{SID: "S-1-5-32-545", Read: true}}},
		"refused to everyone":          {"D:P(D;;FA;;;WD)(A;;FR;;;BU)", nil},
		"under a condition":            {`D:P(XA;;FR;;;WD;(@User.Title=="PM" && (Member_of {SID(BA)})))`, []Grant{{SID: everyone, Read: true}}},
		"refused under a condition":    {`D:P(XD;;FR;;;BU;(@User.Title=="PM"))(A;;FR;;;BU)`, []Grant{{SID: "S-1-5-32-545", Read: true}}},
		"a program in a sandbox":       {"D:P(A;;FR;;;AC)(A;;FR;;;S-1-15-2-2)", nil},
		"a decimal mask, and in pairs": {"D:P(A;;1;;;BG)(A;;CCDC;;;AN)", []Grant{{SID: "S-1-5-32-546", Read: true}, {SID: "S-1-5-7", Read: true, Change: true}}},
	} {
		got, err := Strangers(test.sddl, pombo)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
	}
}

func TestServices(t *testing.T) {
	t.Parallel()
	two := ServiceSID("pombo2")
	got, err := Services("D:PAI(A;;FA;;;SY)(A;;FA;;;BA)(A;;FR;;;" + two + ")(A;;FR;;;BU)(A;;FR;;;S-1-5-80-0)(A;;0x80;;;" + ServiceSID("other") + ")(A;;FR;;;" + ServiceSID("TrustedInstaller") + ")")
	if diff := cmp.Diff([]string{two}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	if _, err := Services("?"); err == nil {
		t.Error("what is not SDDL has services")
	}
}

func TestStrangers_NotSDDL(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"x", "O:", "O:BAX", "D:P(A;;FA;;;", "D:P(A;;FA)", "D:P(A;;FX1;;;BA)", "D:P(A;;ZZ;;;BA)", "D:P(A;;FA;;;)", "D:P(A;;FA;;;BA)x", "D:P(A;;0xg;;;BA)"} {
		if got, err := Strangers(text); err == nil {
			t.Errorf("Strangers(%q) = %v, want an error", text, got)
		}
	}
}

func FuzzStrangers(f *testing.F) {
	f.Add("O:BAG:BAD:PAI(A;OICI;FA;;;SY)(A;;0x1200a9;;;BU)S:AI")
	f.Add(`D:P(XA;;FR;;;WD;(@User.Title=="PM"))`)
	f.Fuzz(func(_ *testing.T, sddl string) {
		_, _ = Strangers(sddl) // it does not panic
	})
}

func TestIcacls(t *testing.T) {
	t.Parallel()
	pombo := ServiceSID("pombo")
	for _, test := range []struct{ got, want string }{
		{
			Icacls(`C:\pombo\.env`, false, []Grant{{SID: "S-1-5-32-545"}}, system, pombo),
			`icacls "C:\pombo\.env" /inheritance:r /remove:g "*S-1-5-32-545" /grant:r "*S-1-5-18:F" "*S-1-5-32-544:F" "*` + pombo + `:M"`,
		},
		{
			Icacls(`C:\pombo\data`, true, nil),
			`icacls "C:\pombo\data" /inheritance:r /grant:r "*S-1-5-18:(OI)(CI)F" "*S-1-5-32-544:(OI)(CI)F"`,
		},
	} {
		if test.got != test.want {
			t.Errorf("got  %s\nwant %s", test.got, test.want)
		}
	}
}
