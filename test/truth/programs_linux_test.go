// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"beltrace/internal/testkit"
)

// The tests of this file prove the programs that the others trust: without beltrace, against each other.

var (
	loopback4 = netip.MustParseAddrPort("127.0.0.1:0")
	loopback6 = netip.MustParseAddrPort("[::1]:0")
	any6      = netip.MustParseAddrPort("[::]:0")
	noRoute   = netip.MustParseAddrPort("192.0.2.1:80") // in a namespace that has only a loopback device
)

// The names of the two processes: no other process has them, not even of another run of these tests.
func serverName() string { return fmt.Sprintf("server-%d", os.Getpid()) }
func clientName() string { return fmt.Sprintf("client-%d", os.Getpid()) }

// pair is a server and a client in a network namespace of their own.
type pair struct {
	ns             *testkit.NetNS
	server, client *agent
	crowded        bool // others are in the namespace, too
}

func newPair(t testing.TB) *pair {
	t.Helper()
	testkit.Root(t)
	ns := testkit.NewNetNS(t)
	ns.Sysctl(t, "ipv4/tcp_tw_reuse", "0") // a port is used once in a test
	return &pair{
		ns:     ns,
		server: startAgent(t, testkit.ChildOptions{Comm: serverName(), NetNS: ns}),
		client: startAgent(t, testkit.ChildOptions{Comm: clientName(), NetNS: ns}),
	}
}

// exchange runs n connections from the client to a listener of the server and returns both sides.
func (p *pair) exchange(serve serveArgs, dial dialArgs) (served, dialed []socket) {
	p.server.t.Helper()
	accepting := begin[[]socket](p.server, "serve", serve)
	dialed = do[[]socket](p.client, "dial", dial)
	return accepting.result(), dialed
}

// short is a conversation after which the client closes first.
func short(l socket, n int) (serveArgs, dialArgs) {
	return serveArgs{Listener: l, N: n, Talk: talk{Read: 100, Write: 2000, End: endDrain}},
		dialArgs{Addr: l.Local, N: n, Talk: talk{Write: 100, Read: 2000}}
}

// matched pairs each served socket with the client's end of the same connection.
func matched(t testing.TB, served, dialed []socket) map[netip.AddrPort][2]socket {
	t.Helper()
	pairs := map[netip.AddrPort][2]socket{}
	for _, d := range dialed {
		pairs[d.Local] = [2]socket{{}, d}
	}
	for _, s := range served {
		both, ok := pairs[s.Remote]
		if !ok || both[0].PID != 0 {
			t.Fatalf("the server has a connection with %v that no client made, or two", s.Remote)
		}
		both[0] = s
		pairs[s.Remote] = both
	}
	if len(served) != len(dialed) || len(pairs) != len(dialed) {
		t.Fatalf("%d served, %d dialed, %d ports", len(served), len(dialed), len(pairs))
	}
	return pairs
}

func TestProgramsTalk(t *testing.T) {
	testkit.Root(t)
	noLeaks(t)
	for _, addr := range []netip.AddrPort{loopback4, loopback6} {
		t.Run(addr.Addr().String(), func(t *testing.T) {
			p := newPair(t)
			l := do[socket](p.server, "listen", listenArgs{Addr: addr, Backlog: 16})
			serve, dial := short(l, 20)
			dial.Lanes = 4
			served, dialed := p.exchange(serve, dial)
			for port, both := range matched(t, served, dialed) {
				s, c := both[0], both[1]
				if s.PID != p.server.PID || c.PID != p.client.PID || s.Listener != l.Cookie || s.Cookie == c.Cookie {
					t.Errorf("%v: server %+v, client %+v", port, s, c)
				}
				if s.In != 100 || s.Out != 2000 || c.In != s.Out || c.Out != s.In {
					t.Errorf("%v: bytes of the server %d %d, of the client %d %d", port, s.In, s.Out, c.In, c.Out)
				}
				if !(c.Called < c.Returned && c.Called < s.Returned && s.Returned < s.CloseReturned && c.CloseCalled < s.CloseReturned) {
					t.Errorf("%v: times of the server %+v, of the client %+v", port, s, c)
				}
			}
		})
	}
}

func TestProgramsFail(t *testing.T) {
	p := newPair(t)
	full := do[socket](p.server, "listen", listenArgs{Addr: loopback4, Backlog: 0})
	do[[]socket](p.client, "dial", dialArgs{Addr: full.Local, N: 1, Talk: talk{End: endKeep}})
	refused := netip.AddrPortFrom(loopback4.Addr(), 1)
	for _, c := range []struct {
		dial dialArgs
		want unix.Errno
		long time.Duration
	}{
		{dialArgs{Addr: refused}, unix.ECONNREFUSED, 0},
		{dialArgs{Addr: refused, How: nonBlocking}, unix.ECONNREFUSED, 0},
		{dialArgs{Addr: noRoute}, unix.ENETUNREACH, 0},
		{dialArgs{Addr: full.Local, How: oneSYNRetry}, unix.ETIMEDOUT, 2 * time.Second},
	} {
		c.dial.N = 1
		s := do[[]socket](p.client, "dial", c.dial)[0]
		if s.Errno != int32(c.want) || time.Duration(s.Returned-s.Called) < c.long {
			t.Errorf("%+v: errno %d after %v, want %d", c.dial, s.Errno, time.Duration(s.Returned-s.Called), c.want)
		}
	}
}

func TestProgramsOddOnes(t *testing.T) {
	p := newPair(t)
	p.ns.Sysctl(t, "ipv4/tcp_fastopen", fastOpenFreely)
	t.Run("empty queue", func(t *testing.T) {
		l := do[socket](p.server, "listen", listenArgs{Addr: loopback4, Backlog: 1, NonBlocking: true})
		if n := do[int](p.server, "poke", pokeArgs{l, 3}); n != 3 {
			t.Errorf("EAGAIN %d times, want 3", n)
		}
	})
	for _, how := range []string{fastConnect, fastSend, nonBlocking} {
		t.Run(how, func(t *testing.T) {
			l := do[socket](p.server, "listen", listenArgs{Addr: loopback4, Backlog: 1, FastOpen: true})
			serve, dial := short(l, 2)
			dial.How = how
			served, dialed := p.exchange(serve, dial)
			matched(t, served, dialed)
		})
	}
	t.Run("reset", func(t *testing.T) {
		l := do[socket](p.server, "listen", listenArgs{Addr: loopback4, Backlog: 1})
		served, dialed := p.exchange(serveArgs{Listener: l, N: 2, Talk: talk{End: endDrain}},
			dialArgs{Addr: l.Local, N: 2, Talk: talk{Write: 10, End: endReset}})
		matched(t, served, dialed)
	})
	t.Run("net package", func(t *testing.T) {
		addr := netip.AddrPortFrom(loopback4.Addr(), 4711)
		serving := begin[goServed](p.server, "goserve", goServeArgs{Addr: addr, N: 2})
		untilListening(t, p.server.PID, addr)
		dialed := do[[]socket](p.client, "dial", dialArgs{Addr: addr, N: 2, Talk: talk{Write: 10, End: endDrain}})
		matched(t, serving.result().Served, dialed)
	})
	t.Run("heir", func(t *testing.T) {
		l := do[socket](p.server, "listen", listenArgs{Addr: loopback4, Backlog: 1})
		reading := begin[[]socket](p.client, "dial", dialArgs{Addr: l.Local, N: 1, Talk: talk{Read: 70, End: endDrain}})
		served := do[[]socket](p.server, "serve", serveArgs{Listener: l, N: 1, Talk: talk{End: endKeep}})
		do[socket](p.server, "bequest", bequestArgs{served[0], 70})
		if s := reading.result()[0]; s.In != 70 {
			t.Errorf("the heir sent %d bytes, want 70", s.In)
		}
	})
	t.Run("io_uring", func(t *testing.T) {
		l := do[socket](p.server, "listen", listenArgs{Addr: loopback4, Backlog: 1})
		serve, dial := short(l, 2)
		serving := begin[[]socket](p.server, "ring", serve)
		dialing := begin[[]socket](p.client, "dial", dial)
		served := serving.result()
		if served == nil {
			t.Skip("this kernel has no io_uring for us")
		}
		matched(t, served, dialing.result())
	})
}

// fastOpenFreely switches TCP Fast Open on for clients and servers, without its cookies.
const fastOpenFreely = "0x207"

// untilListening waits until somebody listens on addr in the network namespace of a process.
func untilListening(t testing.TB, pid uint32, addr netip.AddrPort) {
	t.Helper()
	ip := addr.Addr().As4()
	line := fmt.Appendf(nil, "%08X:%04X 00000000:0000 0A", binary.NativeEndian.Uint32(ip[:]), addr.Port())
	listening := func() bool {
		table, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/tcp", pid))
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Contains(table, line)
	}
	if !testkit.Until(10*time.Second, listening) {
		t.Fatalf("nobody listens on %v", addr)
	}
}
