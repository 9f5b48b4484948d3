// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// slowDisk is a flight recorder whose file takes its time.
type slowDisk struct {
	*flight
	took time.Duration
}

func (s slowDisk) End() error {
	time.Sleep(s.took)
	return s.flight.End()
}

// TestFlightIsWaitedFor: what has fired is due when a signal comes, and is written to a file, which takes what it takes.
func TestFlightIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := plan(t)
		f := newFlightTest(t, p)
		f.fly(3)
		f.fire("accept-queue-full")
		f.fly(1)
		ctx, cancel := context.WithCancelCause(t.Context())
		w := newScript().run(&watch{})
		w.Sinks = []sink{slowDisk{f.rec, 10 * patience}}
		time.AfterFunc(time.Second, func() { cancel(signalled{syscall.SIGTERM}) })
		if err := w.Run(ctx); err != nil {
			t.Fatalf("the run ends with %v", err)
		}
		if _, events := readRecording(t, p.path); len(events) != 3+2*4 {
			t.Errorf("%d events", len(events))
		}
	})
}

// TestFlightIsDropped: what ends the process before a file is finished removes it, and says so.
func TestFlightIsDropped(t *testing.T) {
	p := plan(t)
	f := newFlightTest(t, p)
	f.fly(3)
	f.rec.drop() // there is nothing
	if len(f.said) > 0 {
		t.Errorf("said %q", f.said)
	}
	f = newFlightTest(t, p)
	f.fly(3)
	f.fire("accept-queue-full")
	f.fly(1)
	job := f.rec.job(f.now)
	w, path, err := job.create()
	if err != nil || path != p.path {
		t.Fatalf("%s, %v", path, err)
	}
	f.rec.drop()
	if want := []string{p.path + " is not finished: removed"}; !slices.Equal(f.said, want) {
		t.Errorf("said %q, want %q", f.said, want)
	}
	w.Close()
	if err := job.draft.end(nil); err != errDropped {
		t.Errorf("its end is %v", err)
	}
	if _, err := job.write(); err == nil {
		t.Error("another one is begun")
	}
	if left, err := os.ReadDir(filepath.Dir(p.path)); len(left) > 0 || err != nil {
		t.Errorf("it leaves %v, %v", left, err)
	}
}

// TestFlightIsKept: a file that is finished stays.
func TestFlightIsKept(t *testing.T) {
	p := plan(t)
	f := newFlightTest(t, p)
	f.fly(3)
	f.fire("accept-queue-full")
	f.fly(6)
	f.rec.drop()
	if len(f.said) != 1 || !strings.HasPrefix(f.said[0], "wrote ") {
		t.Errorf("said %q", f.said)
	}
	if _, err := os.Stat(p.path); err != nil {
		t.Error(err)
	}
}

// TestKill: everything that is to be done before the process ends is, also where one waits for ever.
func TestKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a app
		stuck, done := make(chan struct{}), 0
		for range 2 {
			a.onKill(func() { done++ })
		}
		a.onKill(func() { <-stuck })
		begun := time.Now()
		a.kill()
		synctest.Wait()
		if took := time.Since(begun); done != 2 || took != lastAct {
			t.Errorf("%d of 2 are done after %v", done, took)
		}
		close(stuck)
	})
}
