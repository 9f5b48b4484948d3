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

// TestJSONLeavesOutTheUnknown: an empty map says that there was none, so where nobody could see any there is no map.
func TestJSONLeavesOutTheUnknown(t *testing.T) {
	fidelity := map[string]model.Fidelity{"syn_drops": model.Unknown, "ack_drops": model.Unknown, "accept_error": model.Unknown}
	listener := model.Listener{Fidelity: fidelity, Acceptors: []model.Acceptor{{TID: 7}}}
	for _, seen := range []bool{false, true} {
		if seen {
			listener.SYNDrops, listener.Acceptors = map[string]uint64{"unknown": 1}, []model.Acceptor{{TID: 7, Errors: map[string]uint64{"EMFILE": 1}}}
			listener.Fidelity = map[string]model.Fidelity{"syn_drops": model.Unknown, "ack_drops": model.Exact, "accept_error": model.Unknown}
		}
		var b strings.Builder
		if err := view.JSON(&b, &model.Snapshot{Listeners: []model.Listener{listener}, Probes: map[string]model.ProbeStatus{"syn": {Fidelity: model.Unknown}}}); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{`"host"`, `"kernel"`, `"arch"`, `"tier"`, `"hook"`} {
			if strings.Contains(b.String(), key) {
				t.Errorf("%s is unknown and yet there: %s", key, b.String())
			}
		}
		for _, key := range []string{`"syn_drops":{`, `"ack_drops":{`, `"errors":{`} {
			if strings.Contains(b.String(), key) != seen {
				t.Errorf("%s: %v, want %v: %s", key, !seen, seen, b.String())
			}
		}
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
