package main

import (
	"testing"

	"pombo/internal/service"
)

func TestServiceInstall_KeepsWhatIsThere(t *testing.T) {
	t.Parallel()
	there := service.Status{Folder: `D:\Pombo`, Account: `EMPRESA\svc-pombo`, Start: service.StartManual}
	tests := []struct{ given, want serviceInstallCommand }{
		{serviceInstallCommand{}, serviceInstallCommand{Folder: `D:\Pombo`, Account: `EMPRESA\svc-pombo`, Start: service.StartManual, accountKept: true}},
		{
			serviceInstallCommand{Folder: `C:\Dados`, Account: `NT SERVICE\pombo`, Start: service.StartAuto},
			serviceInstallCommand{Folder: `C:\Dados`, Account: `NT SERVICE\pombo`, Start: service.StartAuto},
		},
	}
	for _, tt := range tests {
		got := tt.given
		got.keep(there)
		if got != tt.want {
			t.Errorf("%+v becomes %+v, want %+v", tt.given, got, tt.want)
		}
		got = tt.given
		got.keep(service.Status{State: service.NotInstalled})
		if got != tt.given {
			t.Errorf("%+v becomes %+v without a service", tt.given, got)
		}
	}
}
