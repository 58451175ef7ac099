// gojudge asks Go's own sumdb/note and sumdb/tlog about what samebits wrote.
//
// It reads a JSON list of questions on standard input and writes a JSON list of answers, in the
// same order, on standard output. An answer has an error, or what was found.
package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"gojudge/sumdb/note"
	"gojudge/sumdb/tlog"
)

type question struct {
	Kind string

	// note: a signed note, the keys that must each have signed it
	Note []byte
	Keys []string

	// inclusion, consistency, tiles
	Size  int64
	Root  []byte
	Proof [][]byte

	// inclusion: the data of the leaf
	Index int64
	Leaf  []byte

	// consistency, tiles
	OldSize int64
	OldRoot []byte

	// tiles: the folder that has `tile/`
	Folder string
}

type answer struct {
	Error  string
	Text   string
	Leaves [][]byte
}

func main() {
	var questions []question
	if err := json.NewDecoder(os.Stdin).Decode(&questions); err != nil {
		fmt.Fprintln(os.Stderr, "gojudge:", err)
		os.Exit(2)
	}
	answers := make([]answer, len(questions))
	for i, q := range questions {
		found, err := judge(q)
		if err != nil {
			found = answer{Error: err.Error()}
		}
		answers[i] = found
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		fmt.Fprintln(os.Stderr, "gojudge:", err)
		os.Exit(2)
	}
}

func judge(q question) (answer, error) {
	switch q.Kind {
	case "note":
		return openNote(q)
	case "inclusion":
		return answer{}, checkInclusion(q)
	case "consistency":
		return answer{}, checkConsistency(q)
	case "tiles":
		return readTiles(q)
	}
	return answer{}, fmt.Errorf("no such question: %q", q.Kind)
}

func openNote(q question) (answer, error) {
	var verifiers []note.Verifier
	for _, key := range q.Keys {
		v, err := verifier(key)
		if err != nil {
			return answer{}, err
		}
		verifiers = append(verifiers, v)
	}
	opened, err := note.Open(q.Note, note.VerifierList(verifiers...))
	if err != nil {
		return answer{}, err
	}
	if len(opened.Sigs) != len(q.Keys) {
		return answer{}, fmt.Errorf("%d of %d keys have signed", len(opened.Sigs), len(q.Keys))
	}
	return answer{Text: opened.Text}, nil
}

// cosigner verifies cosignature/v1 signatures: the rest of its key is an ordinary Ed25519 one.
type cosigner struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func (c cosigner) Name() string    { return c.name }
func (c cosigner) KeyHash() uint32 { return c.hash }

func (c cosigner) Verify(msg, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	var signed bytes.Buffer
	fmt.Fprintf(&signed, "cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(sig), msg)
	return ed25519.Verify(c.key, signed.Bytes(), sig[8:])
}

func verifier(vkey string) (note.Verifier, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return nil, errors.New("malformed vkey")
	}
	key, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil {
		return nil, err
	}
	if len(key) != 1+ed25519.PublicKeySize || key[0] != 4 {
		return note.NewVerifier(vkey)
	}
	hash, err := strconv.ParseUint(parts[1], 16, 32)
	if err != nil {
		return nil, err
	}
	return cosigner{parts[0], uint32(hash), key[1:]}, nil
}

func checkInclusion(q question) error {
	root, err := toHash(q.Root)
	if err != nil {
		return err
	}
	proof, err := toHashes(q.Proof)
	if err != nil {
		return err
	}
	return tlog.CheckRecord(proof, q.Size, root, q.Index, tlog.RecordHash(q.Leaf))
}

func checkConsistency(q question) error {
	root, err := toHash(q.Root)
	if err != nil {
		return err
	}
	old, err := toHash(q.OldRoot)
	if err != nil {
		return err
	}
	proof, err := toHashes(q.Proof)
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, q.Size, root, q.OldSize, old)
}

// readTiles authenticates every tile below a root, reads every leaf through them, and lets Go make
// proofs of its own from what it has read.
func readTiles(q question) (answer, error) {
	root, err := toHash(q.Root)
	if err != nil {
		return answer{}, err
	}
	old, err := toHash(q.OldRoot)
	if err != nil {
		return answer{}, err
	}
	files := tileFiles{filepath.Join(q.Folder, "tile"), q.Size}
	reader := tlog.TileHashReader(tlog.Tree{N: q.Size, Hash: root}, files)
	growth, err := tlog.ProveTree(q.Size, q.OldSize, reader)
	if err != nil {
		return answer{}, err
	}
	if err := tlog.CheckTree(growth, q.Size, root, q.OldSize, old); err != nil {
		return answer{}, err
	}
	leaves, err := files.leaves()
	if err != nil {
		return answer{}, err
	}
	for i, leaf := range leaves {
		proof, err := tlog.ProveRecord(q.Size, int64(i), reader)
		if err != nil {
			return answer{}, err
		}
		if err := tlog.CheckRecord(proof, q.Size, root, int64(i), tlog.RecordHash(leaf)); err != nil {
			return answer{}, fmt.Errorf("leaf %d: %w", i, err)
		}
	}
	return answer{Leaves: leaves}, nil
}

// tileFiles reads a log laid out by C2SP tlog-tiles, which has other names than Go's tlog: no
// height, and `entries` for `data`.
type tileFiles struct {
	folder string
	size   int64
}

const height = 8

func (f tileFiles) Height() int { return height }

func (f tileFiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (f tileFiles) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for i, t := range tiles {
		var err error
		// What Go asks for may be a part of a tile that has grown: only that one is published.
		if data[i], err = f.read(t.L, t.N); err != nil {
			return nil, err
		}
		if len(data[i])%tlog.HashSize != 0 || len(data[i]) < t.W*tlog.HashSize {
			return nil, fmt.Errorf("%s has %d bytes", t.Path(), len(data[i]))
		}
		data[i] = data[i][:t.W*tlog.HashSize]
	}
	return data, nil
}

func (f tileFiles) read(level int, n int64) ([]byte, error) {
	width := f.size
	if level > 0 {
		width >>= height * level
	}
	width -= n << height
	t := tlog.Tile{H: height, L: level, N: n, W: int(min(width, 1<<height))}
	path := strings.TrimPrefix(t.Path(), "tile/8/")
	path = strings.Replace(path, "data/", "entries/", 1)
	return os.ReadFile(filepath.Join(f.folder, path))
}

func (f tileFiles) leaves() ([][]byte, error) {
	var leaves [][]byte
	for n := int64(0); n<<height < f.size; n++ {
		data, err := f.read(-1, n)
		if err != nil {
			return nil, err
		}
		for len(data) > 0 {
			if len(data) < 2 || len(data)-2 < int(binary.BigEndian.Uint16(data)) {
				return nil, fmt.Errorf("bundle %d is cut off", n)
			}
			end := 2 + int(binary.BigEndian.Uint16(data))
			leaves = append(leaves, data[2:end])
			data = data[end:]
		}
	}
	if int64(len(leaves)) != f.size {
		return nil, fmt.Errorf("%d leaves in the bundles of a log of %d", len(leaves), f.size)
	}
	return leaves, nil
}

func toHash(data []byte) (hash tlog.Hash, err error) {
	if copy(hash[:], data); len(data) != tlog.HashSize {
		err = fmt.Errorf("a hash of %d bytes", len(data))
	}
	return
}

func toHashes(list [][]byte) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(list))
	for i, data := range list {
		hash, err := toHash(data)
		if err != nil {
			return nil, err
		}
		hashes[i] = hash
	}
	return hashes, nil
}
