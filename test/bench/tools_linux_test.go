// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"time"
)

// What a tool prints of the load counts; its listener and other traffic do not.
func TestCounts(t *testing.T) {
	for _, tt := range []struct {
		tool string
		out  string
		want uint64
	}{
		{trace, `{"event":"listen","local":"0.0.0.0:29417"}
{"event":"connect","remote":"127.0.0.1:29417"}
{"event":"connect","remote":"127.0.0.1:7"}
{"event":"close","local":"127.0.0.1:29417"}
`, 2},
		{bpftrace, `Attaching 6 probes...
1 connect pid=1 tid=1 comm=x cpu=1 conn=0xf 127.0.0.1:29417
1 close pid=0 tid=0 comm= cpu=0 conn=0xf 0.0.0.0:29417 0.0.0.0:0 in=0 out=0
1 connect pid=1 tid=1 comm=x cpu=1 conn=0xf 127.0.0.1:129417
`, 1},
		{tcplife, `PID     COMM             LADDR           LPORT RADDR           RPORT TX_KB  RX_KB  MS
18847   client           127.0.0.1       59926 127.0.0.1       29417 0.10   1.95   0.55
18841   server           127.0.0.1       29417 127.0.0.1       59926 1.95   0.10   0.56
`, 2},
		{tcpstates, `ffff88817f3fba80 18990 client 127.0.0.1 0     127.0.0.1 29417 CLOSE       -> SYN_SENT    0.000
ffff8881090bb0c0 18984 server 0.0.0.0   29417 0.0.0.0   0     LISTEN      -> CLOSE       484.689
`, 1},
		{minimal, "first record\nrecords 42\n", 42},
		{top, `LISTENER                   IN/s  ACCEPTED
benchbin 127.0.0.1:29417      0         3

LISTENER                   IN/s  ACCEPTED
benchbin 127.0.0.1:29417      0      9999
nginx 127.0.0.1:129417        0         1

PROCESS  LOCAL                 FD
curl     127.0.0.1:29417  ←     7
`, 9999},
		{topJSON, `{"listeners":[{"local":"0.0.0.0:29417","accepted":3}]}
{"listeners":[{"local":"0.0.0.0:29417","accepted":5},{"local":"[::]:22","accepted":1}]}
`, 5},
	} {
		tools := allTools(nil, "", "")
		i := slices.IndexFunc(tools, func(x tool) bool { return x.Name == tt.tool })
		if got, err := tools[i].Count([]byte(tt.out)); err != nil || got != tt.want {
			t.Errorf("%s: %d, %v, want %d", tt.tool, got, err, tt.want)
		}
	}
}

// A number that is rounded is not taken for one that is exact, nor another column for that of the accepts.
func TestCountsOfTopAreExact(t *testing.T) {
	if _, err := topSeen([]byte("LISTENER  ACCEPTED\nx 0.0.0.0:29417  12.3k\n")); !errors.Is(err, errRounded) {
		t.Errorf("a rounded number: %v", err)
	}
	for _, out := range []string{"", "LISTENER  ACCEPTED  NEW\nx 0.0.0.0:29417  5  7\n"} {
		if n, err := topSeen([]byte(out)); err == nil || errors.Is(err, errRounded) {
			t.Errorf("%q: %d, %v", out, n, err)
		}
	}
}

// A program attached by the same mechanism as beltrace's: with functions hooked or without.
func TestMinimalHooks(t *testing.T) {
	for _, tt := range []struct{ hooks, want string }{
		{"accept_sys_exit", "accept4"},
		{"accept_fexit", "accept_fexit"},
	} {
		if got := minimalHooks([]string{"set_state", tt.hooks}); !slices.Contains(got, tt.want) {
			t.Errorf("with %s: %v", tt.hooks, got)
		}
	}
}

// The test binary plays the load's roles when it is started with them.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && (os.Args[1] == roleServer || os.Args[1] == roleClient) {
		if err := play(context.Background(), os.Args[1:]); err != nil {
			os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func TestLoad(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root: a network namespace cannot be made")
	}
	l, err := runLoad(t.Context(), 50*time.Millisecond, 0)
	if err != nil {
		t.Fatal(err)
	}
	if l.Connections == 0 || l.CPU <= 0 || l.Elapsed < 50*time.Millisecond {
		t.Errorf("%+v", l)
	}
}
