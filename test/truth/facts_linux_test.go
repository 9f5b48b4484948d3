// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"slices"
	"testing"

	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"

	"beltrace/collector/event"
	"beltrace/collector/live"
	"beltrace/collector/model"
	"beltrace/collector/probes"
)

// fact is something that an event can say, and where a kernel can know it. What is not knowable must be absent.
type fact struct {
	name  string
	tiers []probes.Tier // that know it
	old   []probes.Tier // that know it on kernels before 5.15, which lack the cookie and register helpers
}

var (
	everywhere = []probes.Tier{probes.Full, probes.Kprobe, probes.Tracepoint}
	functions  = []probes.Tier{probes.Full, probes.Kprobe}
	nowhere    = []probes.Tier{}
)

// Facts that do not hold everywhere. Every other field that a test asks for must be there on every tier.
const (
	knowsLocalPort   = "local address of a connect"
	knowsUnsent      = "a connect that fails before its SYN"
	knowsRingAccept  = "an accept by io_uring"
	knowsSYN         = "a SYN's arrival"
	knowsAsked       = "backlog_asked"
	knowsCookie      = "socket cookie"
	knowsEarlyCookie = "cookie of a connection that is accepted before its handshake is done"
	knowsReusePort   = "which of several listeners on one port, before accept"
	knowsFirstQueue  = "accept queue at the accept of a thread that was blocked before beltrace came"
	knowsElsewhere   = "queues of a silent listener in another network namespace"
	knowsAcceptQueue = "accept queue at an accept"
	knowsRefusals    = "which listener refused a SYN"
	knowsReasons     = "why it did"
	knowsAcceptError = "an accept that failed"
	knowsRingError   = "an accept by io_uring that failed"
	knowsReadied     = "which descriptors of an epoll instance became ready"
)

func facts() []fact {
	return []fact{
		{knowsLocalPort, functions, functions},
		{knowsUnsent, functions, functions},
		{knowsRingAccept, everywhere, everywhere},
		{knowsSYN, functions, functions},
		{knowsReadied, functions, functions},
		{knowsAsked, everywhere, nowhere},
		{knowsCookie, everywhere, nowhere},
		{knowsEarlyCookie, []probes.Tier{probes.Full}, nowhere},
		{knowsReusePort, everywhere, functions},
		{knowsFirstQueue, everywhere, []probes.Tier{probes.Tracepoint}},
		{knowsElsewhere, everywhere, nowhere},
		{knowsAcceptQueue, everywhere, everywhere},
		{knowsRefusals, byReason(functions), functions},
		{knowsReasons, functions, functions},
		{knowsAcceptError, everywhere, everywhere},
		{knowsRingError, everywhere, everywhere},
	}
}

// byReason adds the tracepoint tier if this kernel names the reason why it drops a final ACK.
func byReason(tiers []probes.Tier) []probes.Tier {
	var enum *btf.Enum
	kernel, err := btf.LoadKernelSpec()
	if err != nil || kernel.TypeByName("skb_drop_reason", &enum) != nil {
		return tiers
	}
	for _, v := range enum.Values {
		if v.Name == "SKB_DROP_REASON_TCP_LISTEN_OVERFLOW" {
			return everywhere
		}
	}
	return tiers
}

// fidelities are what the table of probes must say of a fact on each tier.
func fidelities() map[string]map[probes.Tier]model.Fidelity {
	const exact, derived, unknown = model.Exact, model.Derived, model.Unknown
	refused, acks := unknown, unknown
	if len(byReason(nil)) > 0 {
		refused, acks = derived, exact
	}
	return map[string]map[probes.Tier]model.Fidelity{
		probes.FactConnect:     {probes.Full: exact, probes.Kprobe: exact, probes.Tracepoint: derived},
		probes.FactSYN:         {probes.Full: exact, probes.Kprobe: exact, probes.Tracepoint: unknown},
		probes.FactHandshake:   {probes.Full: exact, probes.Kprobe: exact, probes.Tracepoint: derived},
		probes.FactWait:        {probes.Full: exact, probes.Kprobe: exact, probes.Tracepoint: derived},
		probes.FactEstablished: {probes.Full: exact, probes.Kprobe: exact, probes.Tracepoint: exact},
		probes.FactAccept:      {probes.Full: exact, probes.Kprobe: exact, probes.Tracepoint: exact},
		probes.FactFD:          {probes.Full: exact, probes.Kprobe: exact, probes.Tracepoint: exact},
		probes.FactClose:       {probes.Full: exact, probes.Kprobe: exact, probes.Tracepoint: exact},
		probes.FactRetransmit:  {probes.Full: exact, probes.Kprobe: exact, probes.Tracepoint: exact},
		probes.FactReset:       {probes.Full: exact, probes.Kprobe: exact, probes.Tracepoint: exact},
		probes.FactThreads:     {probes.Full: exact, probes.Kprobe: exact, probes.Tracepoint: exact},
		probes.FactSYNDrops:    {probes.Full: exact, probes.Kprobe: exact, probes.Tracepoint: refused},
		probes.FactDrops:       {probes.Full: exact, probes.Kprobe: exact, probes.Tracepoint: refused},
		probes.FactACKDrops:    {probes.Full: exact, probes.Kprobe: exact, probes.Tracepoint: acks},
		probes.FactOverflows:   {probes.Full: exact, probes.Kprobe: exact, probes.Tracepoint: unknown},
		probes.FactCookies:     {probes.Full: exact, probes.Kprobe: exact, probes.Tracepoint: unknown},
	}
}

// hold tells the watch which tier it is on, and so what it can know.
func (w *watch) hold(tier probes.Tier) {
	w.t.Helper()
	w.tier, w.known = tier, map[string]bool{}
	old := oldKernel(w.t)
	for _, f := range facts() {
		tiers := f.tiers
		if old {
			tiers = f.old
		}
		w.known[f.name] = slices.Contains(tiers, tier)
	}
}

// knows reports whether this kernel, held to this tier, can know a fact.
func (w *watch) knows(name string) bool {
	w.t.Helper()
	known, ok := w.known[name]
	if !ok {
		w.t.Fatalf("no fact %q", name)
	}
	return known
}

// oldKernel reports whether this kernel is older than 5.15.
func oldKernel(t testing.TB) bool {
	t.Helper()
	release := kernelRelease(t)
	return len(release) > 3 && (release[:2] == "4." || release[:3] == "5.8" || release[:3] == "5.9" || release[:4] == "5.10")
}

func kernelRelease(t testing.TB) string {
	t.Helper()
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		t.Fatal(err)
	}
	return unix.ByteSliceToString(u.Release[:])
}

// verifyNoSYN checks that there are no syn events: nobody asked for them, or this tier cannot see them.
func (w *watch) verifyNoSYN() {
	w.t.Helper()
	for _, e := range w.seen() {
		if e.Kind == event.SYN {
			w.wrong("an event that must not be: %s", e.AppendJSON(nil))
		}
	}
}

// TestFidelity: each probe says of each fact what kernel.md found for the tier in use.
func TestFidelity(t *testing.T) {
	_, w := newWatched(t, live.Config{})
	info := w.session.Info()
	if forced := forcedTier(t); forced != "" && info.Tier != forced {
		t.Errorf("the tier is %s, forced was %s", info.Tier, forced)
	}
	said := map[string]model.Fidelity{}
	for _, probe := range info.Probes {
		for _, name := range probe.Probe.Facts {
			said[name] = probes.Fact(probe.Hook, name)
		}
		if probe.Hook == nil {
			for _, f := range probe.Failed {
				t.Logf("probe %s: not by %s: %v", probe.Probe.Name, f.Hook.How, f.Err)
			}
		}
		if probe.Hook == nil && probe.Idle == "" && len(probe.Failed) == 0 && forcedTier(t) == "" {
			t.Errorf("probe %s has no hook and says no reason", probe.Probe.Name)
		}
	}
	for name, by := range fidelities() {
		if said[name] != by[info.Tier] {
			t.Errorf("on the tier %s the fidelity of %s is %q, want %q", info.Tier, name, said[name], by[info.Tier])
		}
	}
}
