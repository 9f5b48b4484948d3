// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"beltrace/collector/model"
	"beltrace/demos/demo"
)

// conversation runs demoChild with pipes for its files.
type conversation struct {
	orders  *io.PipeWriter
	reports chan demoReport
	ended   chan error
}

func talk(t *testing.T, role string, d *demo.Demo) *conversation {
	t.Helper()
	ordersOut, orders := io.Pipe()
	reportsOut, reports := io.Pipe()
	c := &conversation{orders: orders, reports: make(chan demoReport), ended: make(chan error, 1)}
	go func() {
		c.ended <- demoChild(t.Context(), role, d, ordersOut, reports)
		reports.Close()
	}()
	go func() {
		defer close(c.reports)
		if err := readReports(reportsOut, func(r demoReport) { c.reports <- r }); err != nil {
			t.Error(err)
		}
	}()
	return c
}

func (c *conversation) order(t *testing.T, line string) {
	t.Helper()
	if _, err := io.WriteString(c.orders, line+"\n"); err != nil {
		t.Fatal(err)
	}
}

// rest returns the reports up to the child's end.
func (c *conversation) rest() []demoReport { return slices.Collect(c.each) }

func (c *conversation) each(yield func(demoReport) bool) {
	for r := range c.reports {
		if !yield(r) {
			return
		}
	}
}

func TestDemoServer(t *testing.T) {
	d := &demo.Demo{Server: func(ctx context.Context, env *demo.Env) error {
		ln, err := env.Listen(ctx, 0)
		if err != nil {
			return err
		}
		defer ln.Close()
		<-ctx.Done()
		return nil
	}}
	c := talk(t, demoServer, d)
	c.order(t, `{"listen":"127.0.0.1:0"}`)
	first := <-c.reports
	if first.Addr == "" {
		t.Fatalf("first report %+v has no address", first)
	}
	t.Run("address in use", func(t *testing.T) {
		c := talk(t, demoServer, d)
		c.order(t, fmt.Sprintf(`{"listen":%q}`, first.Addr))
		got := c.rest()
		if len(got) != 1 || got[0].Error == nil || got[0].Error.InUse != first.Addr {
			t.Errorf("reports %+v, want that %s is in use", got, first.Addr)
		}
		if err := <-c.ended; err == nil {
			t.Error("the child ended well")
		}
	})
	c.orders.Close()
	if err := <-c.ended; err != nil {
		t.Errorf("told to stop, it ended with %v", err)
	}
}

func TestDemoClient(t *testing.T) {
	d := &demo.Demo{Client: func(_ context.Context, env *demo.Env) error {
		env.Step(0)
		env.Note("args", float64(len(env.Args)))
		env.Step(1)
		return fmt.Errorf("cannot reach %s", env.Addr)
	}}
	c := talk(t, demoClient, d)
	c.order(t, `{"addr":"127.0.0.1:9","args":["a","b"]}`)
	got := c.rest()
	var last int64
	for _, r := range got {
		if r.Step != nil {
			if r.Step.TS <= last {
				t.Errorf("step %d at %d is not after %d", r.Step.N, r.Step.TS, last)
			}
			last, r.Step.TS = r.Step.TS, 0
		}
	}
	want := []demoReport{
		{Step: &demoStep{N: 0}}, {Note: &demoNote{Name: "args", Value: 2}}, {Step: &demoStep{N: 1}},
		{Error: &demoError{Text: "cannot reach 127.0.0.1:9"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDemoChildWithoutOrder(t *testing.T) {
	d := &demo.Demo{Server: func(context.Context, *demo.Env) error { return errors.New("it ran") }}
	c := talk(t, demoServer, d)
	c.orders.Close()
	if err := <-c.ended; err != nil {
		t.Error(err)
	}
	c = talk(t, demoServer, d)
	c.order(t, `nonsense`)
	if err := <-c.ended; err == nil {
		t.Error("an order that cannot be read was taken")
	}
}

func TestServerThatEndsByItself(t *testing.T) {
	d := &demo.Demo{Server: func(context.Context, *demo.Env) error { return nil }}
	c := talk(t, demoServer, d)
	c.order(t, `{}`)
	if got := c.rest(); len(got) != 1 || got[0].Error == nil {
		t.Errorf("reports %+v, want an error", got)
	}
}

func TestDemoState(t *testing.T) {
	s := newDemoState()
	s.Report(demoServer, demoReport{Addr: demoAddr})
	<-s.listen
	step := func(n int) demoReport { return demoReport{Step: &demoStep{N: n, TS: int64(100 + n)}} }
	s.Begin(5)
	s.Report(demoClient, step(0))
	s.Report(demoClient, demoReport{Note: &demoNote{"a", 1}})
	s.End(1000)
	seen := seenWith(nil, false)
	seen.Snapshot.TS = 1000 + settleTime - 1
	if got := s.Seen(seen.Snapshot); got.Done || len(got.Steps) != 1 || got.Notes["a"] != 1 || got.Client.PID != 5 {
		t.Errorf("in mid-run: %+v", got)
	}
	seen.Snapshot.TS++
	if !s.Seen(seen.Snapshot).Done {
		t.Error("the run is over and its events have been read, but it is not done")
	}
	s.Begin(6)
	s.Report(demoClient, step(1))
	got := s.Seen(seen.Snapshot)
	if got.Done || len(got.Steps) != 0 || len(got.Notes) != 0 || got.Server.Addr != demoAddr {
		t.Errorf("a new run begins with %+v", got)
	}
	if s.Failure(demoClient) == nil {
		t.Error("steps out of order were taken")
	}
}

// TestDemoStateBefore: a step's claims count from what had been seen when it began, also in a client's second run.
func TestDemoStateBefore(t *testing.T) {
	s := newDemoState()
	for run := range int64(2) {
		began := 1000 * (run + 1)
		at := func(ts int64) *model.Snapshot { return &model.Snapshot{TS: ts} }
		was := at(began - 1)
		s.Seen(at(began - 2))
		s.Seen(was)
		s.Begin(5)
		now := at(began + 1) // published before the step's report is read
		s.Seen(now)
		s.Seen(now)
		s.Report(demoClient, demoReport{Step: &demoStep{N: 0, TS: began}})
		if got := s.Seen(now).Before; len(got) != 1 || got[0] != was {
			t.Errorf("run %d: step 1 counts from %v, want %v", run+1, got, was)
		}
	}
}

// TestDemoSysctl: what a child has not the privilege for it asks for, and hears how it went.
func TestDemoSysctl(t *testing.T) {
	d := &demo.Demo{Client: func(_ context.Context, env *demo.Env) error {
		if err := env.Sysctl("tcp_syncookies", "0"); err != nil {
			return err
		}
		if err := env.Sysctl("tcp_syncookies", "9"); err == nil || err.Error() != "invalid argument" {
			return fmt.Errorf("second answer %v", err)
		}
		env.Note("both", 2)
		return nil
	}}
	c := talk(t, demoClient, d)
	c.order(t, `{"addr":"127.0.0.1:9"}`)
	for _, reply := range []string{`{}`, `{"error":"invalid argument"}`} {
		if rep := <-c.reports; rep.Sysctl == nil || rep.Sysctl.Name != "tcp_syncookies" {
			t.Fatalf("report %+v", rep)
		}
		c.order(t, reply)
	}
	if got := c.rest(); len(got) != 1 || got[0].Note == nil {
		t.Errorf("then it reports %+v", got)
	}
}

// TestDemoSysctlTold: a child that is told to end while it waits for an answer ends.
func TestDemoSysctlTold(t *testing.T) {
	d := &demo.Demo{Client: func(_ context.Context, env *demo.Env) error { return env.Sysctl("tcp_syncookies", "0") }}
	c := talk(t, demoClient, d)
	c.order(t, `{"addr":"127.0.0.1:9"}`)
	<-c.reports
	c.orders.Close()
	if err := <-c.ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func TestDemoSysctlNowhere(t *testing.T) {
	if err := (&demoRunner{}).sysctl(&demoSysctl{Name: "tcp_syncookies", Value: "0"}); err == nil {
		t.Error("a sysctl of the machine was set")
	}
}
