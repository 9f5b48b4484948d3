// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"beltrace/collector/event"
	"beltrace/collector/model"
)

func TestServes(t *testing.T) {
	for _, tt := range []struct {
		listen, addr string
		want         bool
	}{
		{"127.0.0.1:80", "127.0.0.1:80", true},
		{"127.0.0.1:80", "127.0.0.1:81", false},
		{"127.0.0.1:80", "127.0.0.2:80", false},
		{"0.0.0.0:80", "127.0.0.1:80", true},
		{"[::]:80", "[::1]:80", true},
		{"[::]:80", "127.0.0.1:80", true},
		{"[::]:80", "127.0.0.1:81", false},
		{"", "127.0.0.1:80", false},
		{"0.0.0.0:80", "", false},
	} {
		if got := (Party{Addr: tt.listen}).Serves(tt.addr); got != tt.want {
			t.Errorf("server at %q serves %q: %v", tt.listen, tt.addr, got)
		}
	}
}

func TestStep(t *testing.T) {
	s := Seen{Snapshot: &model.Snapshot{TS: 250}, Steps: []int64{100, 200, 300}}
	for n, want := range []bool{true, false, false, false} {
		if _, _, over := s.Step(n); over != want {
			t.Errorf("step %d is over: %v", n, over)
		}
	}
	s.Done = true
	if _, _, over := s.Step(2); !over {
		t.Error("the last step goes on after the end")
	}
	if from, to, over := s.Step(3); from < to || over {
		t.Errorf("a step that never began: [%d, %d), over %v", from, to, over)
	}
}

// TestServed wants the connections of one step, by the end of their handshakes, whatever their order in the snapshot.
func TestServed(t *testing.T) {
	at := func(role, local string, ts int64) model.Connection {
		return model.Connection{Role: role, Local: local, Story: []model.EventLine{
			{TS: ts - 10, Kind: event.Connect.String()}, {TS: ts, Kind: event.Established.String()},
		}}
	}
	const here = "127.0.0.1:80"
	s := Seen{Snapshot: &model.Snapshot{TS: 1000}, Server: Party{Addr: here}, Steps: []int64{100, 200}}
	s.Connections = []model.Connection{
		at("server", here, 150), at("server", here, 199), at("server", here, 120), at("server", here, 200), at("server", here, 99),
		at("client", here, 150), at("server", "127.0.0.1:81", 150), {Role: "server", Local: here},
	}
	var got []int64
	for _, c := range s.Served(0) {
		got = append(got, Moment(&c, event.Established))
	}
	if diff := cmp.Diff([]int64{120, 150, 199}, got); diff != "" {
		t.Error(diff)
	}
	if n := len(s.Dialled(0)); n != 0 {
		t.Errorf("%d dialled", n)
	}
}

func TestMedian(t *testing.T) {
	for _, tt := range []struct {
		values []int64
		want   int64
	}{{nil, 0}, {[]int64{5}, 5}, {[]int64{9, 1, 5}, 5}, {[]int64{4, 1, 3, 2}, 3}} {
		if got := Median(tt.values); got != tt.want {
			t.Errorf("median of %v is %d, want %d", tt.values, got, tt.want)
		}
	}
	if low, high := Quantile([]int64{1, 2, 3, 4}, 0.25), Quantile([]int64{1, 2, 3, 4}, 1); low != 2 || high != 4 {
		t.Errorf("quantiles %d and %d, want 2 and 4", low, high)
	}
}

func TestEvidenceKeepsItsOrder(t *testing.T) {
	e := Evidence{}.With("zebras", 1).With("wait_ns", 2).With("apes", 3)
	got, err := json.Marshal(map[string]any{"e": e, "none": Evidence(nil)})
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"e":{"zebras":1,"wait_ns":2,"apes":3},"none":{}}`; string(got) != want {
		t.Errorf("%s, want %s", got, want)
	}
	base := Evidence{}.With("a", 1)
	one, two := base.With("b", 2), base.With("c", 3)
	if one[1].Name != "b" || two[1].Name != "c" {
		t.Errorf("two branches of evidence share memory: %v %v", one, two)
	}
}
