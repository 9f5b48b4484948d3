// SPDX-License-Identifier: Apache-2.0

package lens

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// turn is what one side sends before the other one speaks.
type turn struct {
	dir  Dir
	text string
}

// talk feeds turns to a lens, cut into calls of at most size bytes of which at most seen are seen, and returns the
// messages in words.
func talk(l Lens, turns []turn, size, seen int) []string {
	var pos [2]uint64
	begun := map[*Message]uint64{}
	var out []string
	take := func(bs []Boundary) {
		for _, b := range bs {
			if b.What == Begin {
				begun[b.Msg] = b.Pos
				continue
			}
			out = append(out, words(b, begun[b.Msg]))
			delete(begun, b.Msg)
		}
	}
	for i, t := range turns {
		if i > 0 && turns[i-1].dir != t.dir {
			take(l.Turn(turns[i-1].dir, pos[turns[i-1].dir]))
		}
		for text := t.text; text != ""; {
			n := min(size, len(text))
			take(l.Feed(t.dir, pos[t.dir], []byte(text[:min(n, seen)]), uint64(n)))
			pos[t.dir] += uint64(n)
			text = text[n:]
		}
	}
	last := turns[len(turns)-1].dir
	take(l.Turn(last, pos[last]))
	take(l.Turn(last.Other(), pos[last.Other()]))
	for m, at := range begun {
		out = append(out, "open "+words(Boundary{Msg: m}, at))
	}
	return out
}

func words(b Boundary, from uint64) string {
	m := b.Msg
	s := fmt.Sprintf("%d-%d", from, b.Pos)
	if m.Method != "" {
		s += " " + m.Method + " " + m.Path
	}
	if m.Status != 0 {
		s += fmt.Sprintf(" %d", m.Status)
	}
	for _, f := range []struct {
		on   bool
		word string
	}{{m.Interim, "interim"}, {m.Last, "last"}, {m.Guess, "guess"}} {
		if f.on {
			s += " " + f.word
		}
	}
	return s
}

const (
	get     = "GET /a?token=secret HTTP/1.1\r\nHost: x\r\nCookie: secret\r\n\r\n" // 57
	ok      = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"                 // 43
	chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\nA\r\n0123456789\r\n0\r\nTrailer: 1\r\n\r\n"
)

func TestHTTP1(t *testing.T) {
	long := "GET /" + strings.Repeat("p", 3000) + " HTTP/1.1\r\nX: " + strings.Repeat("h", 5000) + "\r\n\r\n"
	for _, tt := range []struct {
		name  string
		turns []turn
		want  []string
	}{
		{"one", []turn{{0, get}, {1, ok}}, []string{"0-57 GET /a", "0-43 200"}},
		{"keep-alive", []turn{{0, get}, {1, ok}, {0, get}, {1, ok}}, []string{"0-57 GET /a", "0-43 200", "57-114 GET /a", "43-86 200"}},
		{"pipelining", []turn{{0, get + get + get}, {1, ok + ok + ok}},
			[]string{"0-57 GET /a", "57-114 GET /a", "114-171 GET /a", "0-43 200", "43-86 200", "86-129 200"}},
		{"pipelining, read in parts", []turn{{0, get + get[:20]}, {1, ok}, {0, get[20:] + get[:3]}, {1, ok}, {0, get[3:]}, {1, ok}},
			[]string{"0-57 GET /a", "0-43 200", "57-114 GET /a", "43-86 200", "114-171 GET /a", "86-129 200"}},
		{"chunked", []turn{{0, get}, {1, chunked}, {0, get}, {1, ok}},
			[]string{"0-57 GET /a", "0-93 200", "57-114 GET /a", "93-136 200"}},
		{"head", []turn{{0, "HEAD / HTTP/1.1\r\n\r\n"}, {1, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"}, {0, get}, {1, ok}},
			[]string{"0-19 HEAD /", "0-38 200", "19-76 GET /a", "38-81 200"}},
		{"expect", []turn{{0, "POST /u HTTP/1.1\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"}, {1, "HTTP/1.1 100 Continue\r\n\r\n"}, {0, "body"}, {1, ok}},
			[]string{"0-25 100 interim", "0-65 POST /u", "25-68 200"}},
		{"upgrade", []turn{{0, get}, {1, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x02hi"}, {0, "\x81\x82aaaahi"}},
			[]string{"0-57 GET /a", "0-56 101 last"}},
		{"until close", []turn{{0, "GET /old HTTP/1.0\r\n\r\n"}, {1, "HTTP/1.0 200 OK\r\n\r\nanything"}},
			[]string{"0-21 GET /old", "0-27 200 last"}},
		{"connection close", []turn{{0, "GET / HTTP/1.1\r\nConnection: close\r\n\r\n"}, {1, ok}}, []string{"0-37 GET / last", "0-43 200"}},
		{"no content", []turn{{0, "DELETE /x HTTP/1.1\r\n\r\n"}, {1, "HTTP/1.1 204 No Content\r\n\r\n"}}, []string{"0-22 DELETE /x", "0-27 204"}},
		{"absolute form", []turn{{0, "GET http://h:1/p?q HTTP/1.1\r\n\r\n"}, {1, ok}}, []string{"0-31 GET /p", "0-43 200"}},
		{"long", []turn{{0, long}, {1, ok}}, []string{"0-8023 GET /" + strings.Repeat("p", 199) + "…", "0-43 200"}},
		{"tunnel", []turn{{0, "CONNECT h:443 HTTP/1.1\r\n\r\n"}, {1, "HTTP/1.1 200 OK\r\n\r\n"}, {0, "\x16\x03\x01"}},
			[]string{"0-26 CONNECT h:443", "0-19 200 last"}},
		{"bare line feeds", []turn{{0, "GET / HTTP/1.1\nHost: x\n\n"}, {1, ok}}, []string{"0-24 GET /", "0-43 200"}},
	} {
		for _, size := range []int{1, 3, 16, 100000} {
			if d := cmp.Diff(tt.want, talk(NewHTTP1(), tt.turns, size, size)); d != "" {
				t.Errorf("%s in calls of %d (-want +got):\n%s", tt.name, size, d)
			}
		}
	}
}

// TestPathOf: a path keeps to its bound in bytes, in whole characters, whatever they are.
func TestPathOf(t *testing.T) {
	for _, tt := range []struct {
		name, target, want string
		whole              bool
	}{
		{"short", "/a", "/a", true},
		{"a part", "/a", "/a…", false},
		{"query", "/a?token=x", "/a", true},
		{"as long as may be", "/" + strings.Repeat("a", 199), "/" + strings.Repeat("a", 199), true},
		{"not UTF-8", "/" + strings.Repeat("0\xff", 300), "/" + strings.Repeat("0\uFFFD", 49) + "0…", true},
		{"control characters", "/" + strings.Repeat("\x01", 150), "/" + strings.Repeat("\uFFFD", 66) + "…", true},
		{"wide characters", "/" + strings.Repeat("é", 150), "/" + strings.Repeat("é", 99) + "…", true},
	} {
		if got := pathOf([]byte(tt.target), tt.whole); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestHTTP1Glimpse tests what is said when only the first 256 bytes of each turn are seen.
func TestHTTP1Glimpse(t *testing.T) {
	body := strings.Repeat("b", 4000)
	post := fmt.Sprintf("POST /up HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s", len(body), body) // 43 + 4000
	big := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)    // 41 + 4000
	header := "GET /h HTTP/1.1\r\nCookie: " + strings.Repeat("c", 500) + "\r\n\r\n"
	for _, tt := range []struct {
		name   string
		turns  []turn
		want   []string
		detail bool
	}{
		{"bodies by length", []turn{{0, post}, {1, big}, {0, get}, {1, ok}},
			[]string{"0-4043 POST /up", "0-4041 200", "4043-4100 GET /a", "4041-4084 200"}, false},
		{"a header not seen whole", []turn{{0, header}, {1, ok}, {0, get}, {1, ok}},
			[]string{"0-529 GET /h guess", "0-43 200", "529-586 GET /a", "43-86 200"}, true},
		{"chunks not seen", []turn{{0, get}, {1, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1\r\nx\r\n", 200) + "0\r\n\r\n"}, {0, get}, {1, ok}},
			[]string{"0-57 GET /a", "0-1252 200 guess", "57-114 GET /a", "1252-1295 200"}, true},
	} {
		l := NewHTTP1()
		if d := cmp.Diff(tt.want, talk(l, tt.turns, 100000, 256)); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
		if l.Detail() != tt.detail {
			t.Errorf("%s: wants detail %v", tt.name, l.Detail())
		}
	}
}

func TestDetect(t *testing.T) {
	for _, tt := range []struct {
		dir   Dir
		bytes string
		want  string
	}{
		{Request, "GET / HTTP/1.1", "http1"}, {Request, "GE", "http1"}, {Response, "HTTP/1.1 200", "http1"},
		{Request, "PRI * HTTP/2.0\r\n\r\nSM", "http2?"}, {Request, "\x16\x03\x01\x02\x00\x01", "tls?"}, {Response, "\x16\x03\x03", "tls?"},
		{Request, "SELECT 1", "tcp"}, {Request, "\x00\x01\x02", "tcp"}, {Request, "", "tcp"}, {Request, "GETTER", "tcp"}, {Request, "*1\r\n$4\r\nPING", "tcp"},
	} {
		if got := Detect(tt.dir, []byte(tt.bytes)).Protocol(); got != tt.want {
			t.Errorf("Detect(%d, %q) = %s, want %s", tt.dir, tt.bytes, got, tt.want)
		}
	}
}

// TestGarbage: what begins as HTTP and is none ends with its turn, named for what it is not.
func TestGarbage(t *testing.T) {
	got := talk(NewHTTP1(), []turn{{0, "GET\x00\xff\r\n\r\nnonsense"}, {1, "\x00\x00"}, {0, get}, {1, ok}}, 100000, 256)
	want := []string{"0-17 guess", "0-2 guess", "17-74 GET /a", "2-45 200"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestNoRequestLine: what comes where a request line should, as the rest of a header or body of which the beginning was missed,
// is named unparsed, and none of it is taken for a method or path.
func TestNoRequestLine(t *testing.T) {
	for _, bytes := range []string{
		"hunter2 is my password\r\n\r\n", "hunter2 secret", "Bearer: hunter2 secret", "hunter2 /secret HTTP", "GET secret\r\n\r\n", "POST secret",
		"hunter2 " + strings.Repeat("secret", 200), strings.Repeat("secret", 50), "GET secret HTTP/2.0\r\n\r\n", "POST pass:word",
	} {
		l := NewHTTP1()
		all := append(l.Feed(Request, 0, []byte(bytes), uint64(len(bytes))), l.Turn(Request, uint64(len(bytes)))...)
		if len(all) == 0 {
			t.Errorf("%q is no message", bytes)
		}
		for _, b := range all {
			if m := b.Msg; m.Method != "" || m.Path != "" || m.Protocol != "unparsed" {
				t.Errorf("%q: %s %q %q", bytes, m.Protocol, m.Method, m.Path)
			}
		}
	}
	for line, want := range map[string]string{
		"BREW /pot HTTP/1.1\r\n\r\n": "BREW /pot", "GET /": "GET /…", "GET /a?b c d HTTP/1.1\r\n\r\n": "GET /a", "OPTIONS * HTTP/1.1\r\n\r\n": "OPTIONS *",
		"GET /old\r\n": "GET /old", "CONNECT h:443 HT": "CONNECT h:443", "GET http://h/p HTTP/1.0\n\n": "GET /p", "G": "", "GET ": "GET …",
	} {
		l := NewHTTP1()
		all := l.Feed(Request, 0, []byte(line), uint64(len(line)))
		if m := all[0].Msg; strings.TrimSpace(m.Method+" "+m.Path) != want || m.Protocol != "http1" {
			t.Errorf("%q: %s %q %q, want %s", line, m.Protocol, m.Method, m.Path, want)
		}
	}
}

// FuzzLens feeds any bytes in any pieces: messages must not overlap, must begin before they end, and secrets stay inside.
func FuzzLens(f *testing.F) {
	f.Add([]byte(get+ok), []byte{40, 18, 150})
	f.Add([]byte(chunked), []byte{200, 1, 2, 3})
	f.Add([]byte("POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n"), []byte{255})
	f.Fuzz(func(t *testing.T, data, cuts []byte) {
		l := Detect(Request, data)
		var pos, end [2]uint64
		open := [2]*Message{}
		dir := Request
		check := func(bs []Boundary) {
			for _, b := range bs {
				switch {
				case b.What == Begin && (open[b.Dir] != nil || b.Pos < end[b.Dir]):
					t.Fatalf("message begins at %d in another one, or before %d", b.Pos, end[b.Dir])
				case b.What == End && open[b.Dir] != b.Msg:
					t.Fatal("a message ends that has not begun")
				}
				end[b.Dir] = b.Pos
				open[b.Dir] = b.Msg
				if b.What == End {
					open[b.Dir] = nil
				}
				if len(b.Msg.Path) > maxPath+len("…") || strings.ContainsAny(b.Msg.Path, "?\n\x00") {
					t.Fatalf("path %q", b.Msg.Path)
				}
			}
		}
		for _, c := range cuts {
			n := min(int(c), len(data))
			seen := n
			if c%5 == 0 {
				seen = n / 2
			}
			check(l.Feed(dir, pos[dir], data[:seen], uint64(n)))
			pos[dir] += uint64(n)
			data = data[n:]
			if c%3 == 0 {
				check(l.Turn(dir, pos[dir]))
				dir = dir.Other()
			}
			if c%7 == 0 {
				pos[dir] += uint64(c) // a gap
			}
		}
	})
}
