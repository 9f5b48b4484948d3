// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"beltrace/collector/event"
	"beltrace/collector/probes"
)

// forcedTier is the tier that the environment forces, or "" for the best.
func forcedTier() probes.Tier { return probes.Tier(os.Getenv("BELTRACE_TIER")) }

func openOrSkip(t *testing.T, c Config) *Session {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("not root: the kernel does not let us load programs")
	}
	s, err := Open(context.Background(), c)
	if err != nil {
		var u *Unsupported
		if errors.As(err, &u) && u.Err != nil {
			t.Fatalf("open: %v\n%v", err, u.Err)
		}
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// In a guest nothing is hardened: the session must have the very tier that was asked for, and no required probe may
// have fallen below it.
func TestOpenServesTheTier(t *testing.T) {
	s := openOrSkip(t, Config{Tier: forcedTier()})
	info := s.Info()
	t.Logf("linux %s, tier %s", info.Kernel, info.Tier)
	for _, p := range info.Probes {
		hook := "none " + p.Idle
		if p.Hook != nil {
			hook = string(p.Hook.How) + " " + p.Hook.At
		}
		t.Logf("%-14s %s", p.Probe.Name, hook)
		for _, f := range p.Failed {
			t.Logf("%-14s   not %s %s: %.300v", "", f.Hook.How, f.Hook.At, f.Err)
		}
		if p.Hook == nil && p.Idle == "" && p.Probe.Required {
			t.Errorf("probe %s is required and has no hook", p.Probe.Name)
		}
	}
	if want := forcedTier(); want != "" && info.Tier != want {
		t.Errorf("tier %s, want %s", info.Tier, want)
	}
	if os.Getenv("BELTRACE_GUEST") != "" && forcedTier() == "" && info.Tier != probes.Full {
		t.Errorf("tier %s in a guest, want full", info.Tier)
	}
}

// Next blocks until there is something to say; Close ends it from another goroutine.
func TestCloseEndsNext(t *testing.T) {
	s := openOrSkip(t, Config{Tier: forcedTier()})
	ended := make(chan error, 1)
	go func() {
		var e event.Event
		for {
			if err := s.Next(&e); err != nil {
				ended <- err
				return
			}
		}
	}()
	s.Close()
	select {
	case err := <-ended:
		if !errors.Is(err, io.EOF) {
			t.Errorf("Next returned %v, want io.EOF", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("Next did not return")
	}
}
