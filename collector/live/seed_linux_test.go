// SPDX-License-Identifier: Apache-2.0

package live

import (
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"beltrace/bpf"
	"beltrace/collector/event"
	"beltrace/internal/testkit"

	"golang.org/x/sys/unix"
)

func listening(conn uint64, netns uint32, local string, pid uint32) event.Event {
	e := event.Event{Kind: event.Listen, Conn: conn, NetNS: netns, Local: netip.MustParseAddrPort(local)}
	e.Listener, e.ListenerConn, e.PID, e.Comm = e.Local, conn, pid, "server"
	return *e.Set(event.FieldListener, event.FieldListenerConn, event.FieldPID, event.FieldComm)
}

func connected(netns uint32, local string) event.Event {
	e := event.Event{Kind: event.Established, Conn: 100, NetNS: netns, Local: netip.MustParseAddrPort(local), Role: event.RoleServer}
	return *e.Set(event.FieldRole)
}

func seedsWith(listeners ...event.Event) *seeds {
	x := &seeds{listeners: map[place][]event.Event{}}
	for _, l := range listeners {
		x.listeners[placeOf(&l)] = append(x.listeners[placeOf(&l)], l)
	}
	return x
}

func TestAdopt(t *testing.T) {
	peer := connected(5, "10.0.0.1:80") // not known to have come to a listener: it may be a client
	peer.Role = ""
	peer.Forget(event.FieldRole)
	for name, c := range map[string]struct {
		listeners []event.Event
		child     event.Event
		want      uint64 // listener_conn, 0: none
	}{
		"its own address":       {[]event.Event{listening(1, 5, "10.0.0.1:80", 7)}, connected(5, "10.0.0.1:80"), 1},
		"wildcard":              {[]event.Event{listening(1, 5, "[::]:80", 7)}, connected(5, "10.0.0.1:80"), 1},
		"another address":       {[]event.Event{listening(1, 5, "10.0.0.2:80", 7)}, connected(5, "10.0.0.1:80"), 0},
		"a peer":                {[]event.Event{listening(1, 5, "10.0.0.1:80", 7)}, peer, 0},
		"another port":          {[]event.Event{listening(1, 5, "10.0.0.1:81", 7)}, connected(5, "10.0.0.1:80"), 0},
		"another namespace":     {[]event.Event{listening(1, 6, "10.0.0.1:80", 7)}, connected(5, "10.0.0.1:80"), 0},
		"two with SO_REUSEPORT": {[]event.Event{listening(1, 5, "[::]:80", 7), listening(2, 5, "[::]:80", 8)}, connected(5, "[::1]:80"), 0},
	} {
		t.Run(name, func(t *testing.T) {
			got := c.child
			seedsWith(c.listeners...).adopt(&got)
			if got.ListenerConn != c.want || got.Known(event.FieldListenerConn) != (c.want != 0) {
				t.Errorf("listener %d, want %d", got.ListenerConn, c.want)
			}
			if got.Known(event.FieldPID) {
				t.Error("an accepted connection got the listener's owner")
			}
		})
	}
}

// A connection that nobody has accepted belongs to the listener's process.
func TestAdoptQueued(t *testing.T) {
	got := connected(5, "10.0.0.1:80")
	got.Queued = true
	seedsWith(listening(1, 5, "[::]:80", 7)).adopt(&got)
	if got.PID != 7 || got.Comm != "server" || !got.Known(event.FieldPID) {
		t.Errorf("owner %d %q, want 7 server", got.PID, got.Comm)
	}
}

func TestDescendants(t *testing.T) {
	cmd := exec.Command("sleep", "30")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	got := descendants([]uint32{uint32(os.Getpid())})
	if got[0] != uint32(os.Getpid()) || !slices.Contains(got, uint32(cmd.Process.Pid)) {
		t.Errorf("descendants of %d: %v, want %d among them", os.Getpid(), got, cmd.Process.Pid)
	}
	if slices.Contains(got, 1) {
		t.Error("init descends from us")
	}
}

func TestNamespacesNamesEachOnce(t *testing.T) {
	got := namespaces("")
	if len(got) == 0 || got[0] != "/proc/self/ns/net" {
		t.Errorf("namespaces: %v, want our own first", got)
	}
	inodes := map[uint32]string{}
	for _, path := range got {
		inode, err := netnsInode(path)
		if err != nil {
			continue // its process has ended
		}
		if other := inodes[inode]; other != "" {
			t.Errorf("%s and %s are the same namespace", other, path)
		}
		inodes[inode] = path
	}
}

// TestNamespacesOfThreads: a namespace that only a thread is in, and not its process's first one.
func TestNamespacesOfThreads(t *testing.T) {
	testkit.Root(t)
	ns := testkit.NewNetNS(t)
	inside, done := make(chan struct{}), make(chan struct{})
	left := make(chan error)
	go func() {
		left <- ns.Do(func() error {
			close(inside)
			<-done
			return nil
		})
	}()
	<-inside
	found := slices.ContainsFunc(namespaces(""), func(path string) bool {
		inode, err := netnsInode(path)
		return err == nil && inode == ns.ID
	})
	close(done)
	if err := <-left; err != nil {
		t.Fatal(err)
	}
	if !found {
		t.Errorf("namespace %d of a thread is not among them", ns.ID)
	}
}

// TestManySeeds: a host with a hundred thousand sockets. None is kept as an event, and each is compared with few others.
func TestManySeeds(t *testing.T) {
	const n = 100_000
	at := func(kind bpf.KernelEventKind, conn uint64, port uint16) bpf.KernelEvent {
		return bpf.KernelEvent{Kind: uint8(kind), Conn: conn, Netns: 5, Family: unix.AF_INET, Lport: port, ListenerFamily: unix.AF_INET,
			ListenerPort: port, Has: uint32(bpf.KernelEventHasHAS_LOCAL | bpf.KernelEventHasHAS_PRE_EXISTING)}
	}
	listen := bpf.KernelQueueEvent{E: at(bpf.KernelEventKindEVENT_LISTEN, 1, 80)}
	listen.E.Has, listen.E.Listener = listen.E.Has|uint32(bpf.KernelEventHasHAS_LISTENER), 1
	raw := slices.Clone(wire(&listen))
	for i := range uint64(n) {
		r := bpf.KernelEstablishedEvent{E: at(bpf.KernelEventKindEVENT_ESTABLISHED, 100+i, uint16(80+i%2*1000))}
		r.E.Role = uint8(bpf.KernelSockRoleROLE_SERVER)
		raw = append(raw, wire(&r)...)
	}
	s := &Session{decoder: newDecoder(), listeners: map[uint64]*listenerState{}}
	s.seeds = seeds{raw: [][]byte{raw}, owners: map[uint64]*bpf.KernelOwner{1: {Conn: 1, Pid: 7}}, listeners: map[place][]event.Event{}}
	began := time.Now()
	s.noteListeners()
	if st := s.listeners[1]; st == nil || st.pid != 7 || len(s.listeners) != 1 {
		t.Fatalf("listeners %v", s.listeners)
	}
	var e event.Event
	children, all := 0, 0
	allocs := testing.AllocsPerRun(1, func() {
		for range n / 2 {
			s.nextSeed(&e)
			all++
			if e.ListenerConn == 1 && e.Kind == event.Established {
				children++
			}
		}
	})
	if all != n || children != n/2 || allocs > n/100 {
		t.Errorf("%d sockets, %d children, %.0f allocations for half of them", all, children, allocs)
	}
	if !s.nextSeed(&e) || s.nextSeed(&e) || s.seeds.raw != nil {
		t.Errorf("%d namespaces are left", len(s.seeds.raw))
	}
	if took := time.Since(began); took > 20*time.Second { // compared with each other they took 90 s
		t.Errorf("it took %v", took)
	}
}

// TestNetnsMounts: network namespaces are found wherever they are mounted, other namespaces and other mounts are not.
func TestNetnsMounts(t *testing.T) {
	got := netnsMounts(`22 1 253:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
405 25 0:4 net:[4026532290] /run/netns/blue rw shared:207 - nsfs nsfs rw
406 25 0:4 mnt:[4026532291] /run/mine rw shared:208 - nsfs nsfs rw
407 25 0:4 net:[4026532292] /run/user/1000/my\040net rw - nsfs nsfs rw
torn
`)
	if want := []string{"/run/netns/blue", "/run/user/1000/my net"}; !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}
