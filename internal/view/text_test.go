// SPDX-License-Identifier: Apache-2.0

package view_test

import (
	"strings"
	"testing"

	"beltrace/collector/model"
	"beltrace/internal/view"
	"beltrace/internal/view/viewtest"
)

func TestText(t *testing.T) {
	for name, s := range map[string]*model.Snapshot{"busy": viewtest.Busy(), "empty": viewtest.Empty(), "zero": {}} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			if err := view.Text(&b, s); err != nil {
				t.Fatal(err)
			}
			golden(t, "text_"+name+".txt", b.String())
			for _, r := range b.String() {
				if r < ' ' && r != '\n' {
					t.Errorf("control character %q in text", r)
				}
			}
		})
	}
}

func TestReport(t *testing.T) {
	for name, s := range map[string]*model.Snapshot{"busy": viewtest.Busy(), "empty": viewtest.Empty(), "zero": {}} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			if err := view.Report(&b, s); err != nil {
				t.Fatal(err)
			}
			golden(t, "report_"+name+".txt", b.String())
			for _, r := range b.String() {
				if r < ' ' && r != '\n' {
					t.Errorf("control character %q in the report", r)
				}
			}
		})
	}
}

func TestJSON(t *testing.T) {
	for name, s := range map[string]*model.Snapshot{"busy": viewtest.Busy(), "zero": {}} {
		t.Run(name, func(t *testing.T) {
			if name == "busy" {
				s.Connections = s.Connections[198:]
			}
			var b strings.Builder
			if err := view.JSON(&b, s); err != nil {
				t.Fatal(err)
			}
			golden(t, "snapshot_"+name+".json", b.String())
			if strings.Contains(b.String(), "null") {
				t.Error("null in JSON: an unknown value is absent, an empty list is []")
			}
		})
	}
}

func TestJSONLeavesTheSnapshotAlone(t *testing.T) {
	s := viewtest.Busy()
	var b strings.Builder
	if err := view.JSON(&b, s); err != nil {
		t.Fatal(err)
	}
	if s.Listeners[3].SYNDrops != nil || s.Routes[1].Phases != nil {
		t.Error("JSON filled in the shared snapshot")
	}
}
