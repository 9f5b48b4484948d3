// SPDX-License-Identifier: Apache-2.0

package lens

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxPath bounds the path in a summary, in bytes.
const maxPath = 200

// http1Head is what the header lines say about the body.
type http1Head struct {
	length             uint64
	hasLength, chunked bool
	close              bool
}

// add takes a header line. Most are none of these: it costs nothing to see that.
func (h *http1Head) add(line []byte) {
	name, value, ok := bytes.Cut(line, []byte(":"))
	if !ok {
		return
	}
	switch is := func(what string) bool { return len(name) == len(what) && strings.EqualFold(string(name), what) }; {
	case is("content-length"):
		if n, err := strconv.ParseUint(headerValue(value), 10, 62); err == nil {
			h.length, h.hasLength = n, true
		}
	case is("transfer-encoding"):
		h.chunked = h.chunked || strings.HasSuffix(headerValue(value), "chunked")
	case is("connection"):
		for token := range strings.SplitSeq(headerValue(value), ",") {
			h.close = h.close || strings.TrimSpace(token) == "close"
		}
	}
}

// headerValue is a value as it is compared: in lower case, and not longer than any that counts.
func headerValue(b []byte) string {
	return strings.ToLower(strings.TrimSpace(string(b[:min(len(b), 200)])))
}

// first takes what is there of a message's first line.
func (m *Message) first(dir Dir, line []byte, whole bool) {
	if dir == Response {
		m.Status = statusOf(line)
		return
	}
	method, rest, ok := bytes.Cut(trimEOL(line), []byte(" "))
	if !ok || !isToken(method) {
		return
	}
	target, version, ended := bytes.Cut(rest, []byte(" "))
	if !(ended && whole && http1Version(version)) && !(http1Request(line) && http1Target(method, target) && (!ended || http1Version(version))) {
		return // it may be anything, as the rest of a header or of a body
	}
	m.Method, m.Path = string(method), pathOf(target, ended || whole)
}

// http1Version reports whether the last word of a request line is one of HTTP/1, as far as it is there.
func http1Version(b []byte) bool {
	const version = "HTTP/1."
	if i := bytes.LastIndexByte(b, ' '); i >= 0 { // spaces in the target are wrong, and sent all the same
		b = b[i+1:]
	}
	n := min(len(b), len(version))
	return string(b[:n]) == version[:n]
}

// http1Target reports whether a request's target begins as one does (RFC 9112, 3.2), or has not begun.
func http1Target(method, b []byte) bool {
	n := min(len(b), len("http"))
	return len(b) == 0 || b[0] == '/' || b[0] == '*' || strings.EqualFold(string(b[:n]), "http"[:n]) || string(method) == "CONNECT"
}

// parsed reports whether the whole first line was one of HTTP/1.
func (m *Message) parsed(dir Dir) bool {
	if dir == Response {
		return m.Status != 0
	}
	return m.Method != ""
}

// statusOf reads "HTTP/1.1 200 OK"; 0: it is none.
func statusOf(line []byte) int {
	if !bytes.HasPrefix(line, []byte("HTTP/1.")) || len(line) < 12 || line[8] != ' ' {
		return 0
	}
	n := 0
	for _, c := range line[9:12] {
		if c < '0' || c > '9' {
			return 0
		}
		n = n*10 + int(c-'0')
	}
	if n < 100 {
		return 0
	}
	return n
}

// pathOf returns the path of a request's target, without query and fragment, and with an ellipsis where it is cut.
func pathOf(target []byte, whole bool) string {
	path := string(target)
	if i := strings.IndexAny(path, "?#"); i >= 0 {
		path, whole = path[:i], true
	}
	if _, after, ok := strings.Cut(path, "://"); ok { // absolute form, to a proxy
		path = "/"
		if i := strings.IndexByte(after, '/'); i >= 0 {
			path = after[i:]
		}
	}
	// What cannot be printed may take more bytes afterwards: the length counts then.
	path = strings.Map(printable, strings.ToValidUTF8(path, "\uFFFD"))
	if len(path) > maxPath {
		n := maxPath
		for !utf8.RuneStart(path[n]) {
			n--
		}
		path, whole = path[:n], false
	}
	if !whole {
		path += "…"
	}
	return path
}

func printable(r rune) rune {
	if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
		return '\uFFFD'
	}
	return r
}

// methods are those that are known: what another word begins is not taken for HTTP.
var methods = []string{"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "PROPFIND", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "REPORT", "SEARCH", "PURGE"}

func http1Request(b []byte) bool {
	for _, m := range methods {
		if n := min(len(b), len(m)+1); n > 0 && (m + " ")[:n] == string(b[:n]) {
			return n > 2 || len(b) == n
		}
	}
	return false
}

func http1Response(b []byte) bool {
	const version = "HTTP/1."
	n := min(len(b), len(version))
	return n > 0 && string(b[:n]) == version[:n]
}

// isToken reports whether b is a method's name (RFC 9110, 5.6.2).
func isToken(b []byte) bool {
	if len(b) == 0 || len(b) > 24 {
		return false
	}
	for _, c := range b {
		if c <= ' ' || c >= 0x7f || bytes.IndexByte([]byte(`"(),/:;<=>?@[\]{}`), c) >= 0 {
			return false
		}
	}
	return true
}

// chunkSize reads the hexadecimal size of a chunk; extensions are passed over.
func chunkSize(line []byte) (uint64, bool) {
	text, _, _ := bytes.Cut(line, []byte(";"))
	n, err := strconv.ParseUint(string(bytes.TrimSpace(text)), 16, 60)
	return n, err == nil
}

func trimEOL(b []byte) []byte { return bytes.TrimRight(b, "\r\n") }

func blank(b []byte) bool { return len(trimEOL(b)) == 0 }
