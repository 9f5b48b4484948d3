// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"

	"beltrace/collector/event"
	"beltrace/collector/live"
)

// TestUnreached: SYNs that the kernel drops on their way to a listener, with the reason that it names. The listener has
// refused none of them.
func TestUnreached(t *testing.T) {
	const syns = 7
	for _, c := range []struct {
		reason string
		drop   func(*testing.T, *spoofing) // has the kernel drop seven SYNs
	}{
		{"SOCKET_FILTER", func(t *testing.T, s *spoofing) {
			do[int](s.server, "deafen", s.l)
			s.syn(0, syns)
		}},
		{"TCP_CSUM", func(t *testing.T, s *spoofing) {
			do[[]spoofed](s.client, "spoof", spoofArgs{Tun: s.tun, Port: s.l.Local.Port(), N: syns, Damaged: true})
		}},
		{"NETFILTER_DROP", func(t *testing.T, s *spoofing) {
			change(t, s.pair, "iptables -A INPUT -p tcp -j DROP")
			s.syn(0, syns)
		}},
	} {
		t.Run(c.reason, func(t *testing.T) {
			s := newSpoofing(t, 100, live.Config{}, nil)
			c.drop(t, s)
			s.untilSampled(s.l)
			got := s.refused(s.l)
			if got.sample.SYNQueue != 0 || got.space.ListenDrops != 0 {
				t.Errorf("a SYN got through: %s", got.sample.AppendJSON(nil))
			}
			want := 0
			if reasonExists(t, c.reason) {
				want = syns
			}
			if n := s.unreached(c.reason); n != want || want > 0 && got.syn.sum() != uint64(want) {
				t.Errorf("%d SYNs are told as dropped, %v in all, want %d", n, got.syn, want)
			}
		})
	}
}

// unreached counts the SYNs that were dropped for a reason, and checks what is told of each.
func (s *spoofing) unreached(reason string) int {
	n := 0
	for _, e := range s.seen() {
		if e.Kind != event.SYNDrop || e.NetNS != s.ns() || !e.Known(event.FieldDropReason) {
			continue
		}
		n++
		c := &checker{e: &e}
		is(c, event.FieldDropReason, e.DropReason, reason)
		is(c, event.FieldReason, e.Reason, event.ReasonOther)
		is(c, event.FieldStage, e.Stage, event.StageSYN)
		is(c, event.FieldListener, e.Listener, s.l.Local)
		is(c, event.FieldLocal, e.Local, s.l.Local)
		is(c, event.FieldPID, e.PID, s.server.PID)
		if !strings.HasPrefix(e.Remote.String(), "10.9.1.") {
			c.wrong("the client is %v", e.Remote)
		}
		s.report(c)
	}
	return n
}

// reasonExists reports whether this kernel has a drop reason of that name.
func reasonExists(t testing.TB, name string) bool {
	t.Helper()
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		t.Fatal(err)
	}
	var enum *btf.Enum
	if kernel.TypeByName("skb_drop_reason", &enum) != nil {
		return false
	}
	for _, v := range enum.Values {
		if v.Name == "SKB_DROP_REASON_"+name {
			return true
		}
	}
	return false
}

// change runs commands in the pair's network namespace.
func change(t *testing.T, p *pair, commands ...string) {
	t.Helper()
	for _, command := range commands {
		var out []byte
		args := strings.Fields(command)
		err := p.ns.Do(func() (err error) {
			out, err = exec.Command(args[0], args[1:]...).CombinedOutput()
			return err
		})
		if err != nil {
			t.Skipf("no %s here: %v %s", args[0], err, out)
		}
	}
}

// opDeafen has a listener's own socket filter refuse every segment.
func opDeafen(l socket) (int, error) {
	refuse := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K}}
	return 0, unix.SetsockoptSockFprog(l.FD, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &refuse[0]})
}
