// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"beltrace/collector/model"
	"beltrace/internal/testkit"
)

// Where this program sleeps, and waits for a lock.
const (
	sleepSite = "beltrace/test/truth.sleep work_linux_test.go:"
	futexSite = "beltrace/test/truth.waitOnFutex work_linux_test.go:"
	spinSite  = "beltrace/test/truth.spin work_linux_test.go:"
)

// TestStacks: while somebody looks at a server's requests, where in its program a thread slept for one is told; of a server
// that nobody looks at it is not.
func TestStacks(t *testing.T) {
	p := newPair(t)
	w := p.watchPrograms(t)
	server := do[netip.AddrPort](p.server, "plain", plainServer{Addr: loopback4})
	other := do[netip.AddrPort](p.client, "plain", plainServer{Addr: loopback4})
	paths := []string{"/sleep/0", "/sleep/5", "/futex/5", "/spin/20"}
	if !w.knowsTurns() {
		t.Log("no exchanges on this kernel")
		return
	}
	w.session.Stacks(p.server.PID)
	site := func(phase string) string {
		for _, x := range w.of(server) {
			if stack := x.Stacks[phase]; len(stack) > 0 {
				return model.Stack(stack).Site()
			}
		}
		return ""
	}
	spins := func() bool {
		return slices.ContainsFunc(w.of(server), func(x model.Exchange) bool {
			return slices.ContainsFunc(x.Stacks["app.running"], func(frame string) bool { return strings.HasPrefix(frame, spinSite) })
		})
	}
	told := testkit.Until(settleTime, func() bool {
		do[[]fetched](p.client, "ask", askArgs{Server: server, Paths: paths})
		return site("app.blocked:nanosleep") != "" && site("app.blocked:futex") != "" && spins()
	})
	if sleeps, waits := site("app.blocked:nanosleep"), site("app.blocked:futex"); !told || !strings.HasPrefix(sleeps, sleepSite) || !strings.HasPrefix(waits, futexSite) {
		t.Errorf("it slept at %q and waited at %q: %+v", sleeps, waits, w.of(server))
	}
	do[[]fetched](p.server, "ask", askArgs{Server: other, Paths: paths})
	if !testkit.Until(settleTime, func() bool { return len(w.of(other)) > 0 }) {
		t.Fatal("the other server's requests are not told")
	}
	for _, x := range w.of(other) {
		if x.Stacks != nil {
			t.Errorf("nobody asked for the stacks of %+v", x)
		}
	}
	w.lossless()
}

// of lists a server's requests.
func (w *watch) of(server netip.AddrPort) []model.Exchange {
	return slices.DeleteFunc(w.snapshot().Exchanges, func(x model.Exchange) bool { return x.Local != server.String() })
}
