// SPDX-License-Identifier: Apache-2.0

package view_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"beltrace/collector/model"
	"beltrace/internal/view"
	"beltrace/internal/view/viewtest"
)

func TestJain(t *testing.T) {
	for _, c := range []struct {
		shares []uint64
		want   float64
	}{
		{[]uint64{5, 5, 5, 5}, 1}, {[]uint64{9, 0, 0}, 1. / 3}, {[]uint64{812, 31}, 0.538}, {nil, 1}, {[]uint64{0, 0}, 1},
	} {
		if got := view.Jain(c.shares); math.Abs(got-c.want) > 0.001 {
			t.Errorf("%v: %.3f, want %.3f", c.shares, got, c.want)
		}
	}
}

// workersPage returns the texts of the page's rows and of its foot.
func workersPage(in view.Input) (rows, foot []string) {
	page, _ := view.PageNamed("workers")
	in.Sort = page.Order
	table := page.Table(in)
	l := table.Layout(200, 0, len(table.Keys))
	for row := range table.Keys {
		rows = append(rows, l.Row(row)[0].String())
	}
	for _, line := range page.Foot(in, 200, 40) {
		foot = append(foot, strings.TrimSpace(line.String()))
	}
	return rows, foot
}

func TestEndedThreadsGo(t *testing.T) {
	rows, _ := workersPage(view.Input{Snap: viewtest.Busy()})
	has := func(text string) bool {
		return slices.ContainsFunc(rows, func(r string) bool { return strings.Contains(r, text) })
	}
	if !has("7004") || has("7005") {
		t.Errorf("one that ended 4 s ago is to be shown, one that ended a minute ago is not:\n%s", strings.Join(rows, "\n"))
	}
}

func TestFairness(t *testing.T) {
	acceptor := func(pid, tid uint32, n uint64, in string) model.Acceptor {
		return model.Acceptor{PID: pid, TID: tid, Comm: "api", Accepts: n, Between: model.Some(model.Times{WatchedNS: 9, BlockedNS: map[string]int64{in: 9}})}
	}
	idle := func(pid, tid uint32, in string) model.Worker {
		return model.Worker{PID: pid, TID: tid, Comm: "api", Times: model.Times{WatchedNS: 9, BlockedNS: map[string]int64{in: 9}}}
	}
	busy := func(pid, tid uint32, requests uint64) model.Worker {
		return model.Worker{PID: pid, TID: tid, Comm: "api", Exchanges: model.Some(requests)}
	}
	for name, c := range map[string]struct {
		acceptors []model.Acceptor
		workers   []model.Worker
		want      string // "": nothing is said
	}{
		"one process":                       {acceptors: []model.Acceptor{acceptor(1, 1, 9, "accept4")}},
		"threads that wait in accept":       {acceptors: []model.Acceptor{acceptor(1, 1, 9, "accept4"), acceptor(1, 2, 9, "accept")}, want: "api :80  fairness 1.00 (1 = even): 1 takes 50 % of conns, 2 workers"},
		"threads of one loop":               {acceptors: []model.Acceptor{acceptor(1, 1, 9, "epoll_wait"), acceptor(1, 2, 9, "futex")}},
		"processes":                         {acceptors: []model.Acceptor{acceptor(1, 1, 2, "epoll_wait"), acceptor(1, 3, 1, "futex"), acceptor(2, 2, 9, "epoll_wait")}, want: "api :80  fairness 0.80 (1 = even): 2 takes 75 % of conns, 2 workers"},
		"one that never got a connection":   {acceptors: []model.Acceptor{acceptor(1, 1, 9, "accept4")}, workers: []model.Worker{idle(2, 2, "accept4")}, want: "api :80  fairness 0.50 (1 = even): 1 takes 100 % of conns, 2 workers"},
		"one that waits for something else": {acceptors: []model.Acceptor{acceptor(1, 1, 9, "accept4")}, workers: []model.Worker{idle(2, 2, "wait4")}},
		"requests of all are known":         {acceptors: []model.Acceptor{acceptor(1, 1, 2, "epoll_wait"), acceptor(2, 2, 2, "epoll_wait")}, workers: []model.Worker{busy(1, 1, 60), busy(1, 9, 30), busy(2, 2, 10)}, want: "api :80  fairness 0.61 (1 = even): 1 takes 90 % of requests, 2 workers"},
		"requests of one are not known":     {acceptors: []model.Acceptor{acceptor(1, 1, 2, "epoll_wait"), acceptor(2, 2, 2, "epoll_wait")}, workers: []model.Worker{busy(1, 1, 60)}, want: "api :80  fairness 1.00 (1 = even): 1 takes 50 % of conns, 2 workers"},
		"nobody accepted":                   {workers: []model.Worker{idle(1, 1, "accept4"), idle(2, 2, "accept4")}},
	} {
		s := viewtest.Empty()
		s.Listeners = []model.Listener{{Conn: 1, Local: "[::]:80", Process: model.Process{Comm: "api"}, State: model.StateListening, Acceptors: c.acceptors}}
		s.Workers = c.workers
		if _, foot := workersPage(view.Input{Snap: s}); strings.Join(foot, "\n") != c.want {
			t.Errorf("%s: %q, want %q", name, foot, c.want)
		}
	}
}

// TestLately: the page shows the last seconds, not all the time since the thread is watched.
func TestLately(t *testing.T) {
	const sec = int64(1e9)
	h := new(view.History)
	at := func(n int64, watched, running int64) *model.Snapshot {
		s := viewtest.Empty()
		s.TS += n * sec
		s.Workers = []model.Worker{{PID: 1, TID: 1, Comm: "api", Role: model.RoleWorker,
			Times: model.Times{WatchedNS: watched * sec, RunningNS: running * sec, BlockedNS: map[string]int64{"read": (watched - running) * sec}}}}
		return s
	}
	shown := func(s *model.Snapshot) string {
		rows, _ := workersPage(view.Input{Snap: s, Hist: h})
		return rows[0]
	}
	for n := range int64(30) {
		h.Add(at(n, n+1, 0))
	}
	if got := shown(at(30, 31, 1)); !strings.Contains(got, "read 91 %") {
		t.Errorf("after one of eleven seconds of work: %s", got)
	}
	if got := shown(at(30, 5, 5)); !strings.Contains(got, "100 %") {
		t.Errorf("watched anew: %s", got)
	}
}
