package simulator

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"image"
	"image/color"
	"image/png"
)

// media returns the URL of a generated file. Files are not stored: their content is computed from the name and the task. The tag in the
// name proves that the simulator issued the URL; for the results of a task it does so only after the task has succeeded. s.mu is held.
func (s *Simulator) media(kind, id, extension string) string {
	return fmt.Sprintf("%s/%s/%s-%s.%s", s.config.mediaURL, kind, id, s.mediaTag(kind, id, extension), extension)
}

func (s *Simulator) mediaTag(kind, id, extension string) string {
	mac := hmac.New(sha256.New, []byte(s.mediaKey))
	fmt.Fprintf(mac, "%s/%s.%s", kind, id, extension)
	return hex.EncodeToString(mac.Sum(nil))[:10]
}

// photos returns the URLs of the images that a task generated.
func (s *Simulator) photos(t *task) []string {
	if len(t.imageIDs) == 0 {
		return []string{s.media("photos", t.id+"-1", "png"), s.media("photos", t.id+"-2", "png")}
	}
	urls := make([]string, len(t.imageIDs))
	for i, part := range t.imageIDs {
		urls[i] = s.media("photos", part, "png")
	}
	return urls
}

// mediaBytes returns a small file whose content matches its extension. said is the text of subtitles.
func mediaBytes(id, extension, said string) (body []byte, contentType string) {
	switch extension {
	case "png":
		return pngBytes(id), "image/png"
	case "mp4":
		return mp4Bytes(id), "video/mp4"
	case "webm":
		return webmBytes(), "video/webm"
	case "wav":
		return wavBytes(), "audio/wav"
	}
	return []byte("1\n00:00:00,000 --> 00:00:02,000\n" + said + "\n"), "application/x-subrip"
}

// pngBytes returns a square in a color that is derived from the id.
func pngBytes(id string) []byte {
	sum := sha256.Sum256([]byte(id))
	picture := image.NewPaletted(image.Rect(0, 0, 64, 64), color.Palette{color.RGBA{sum[0], sum[1], sum[2], 255}})
	var out bytes.Buffer
	_ = png.Encode(&out, picture) // writing to a bytes.Buffer never fails
	return out.Bytes()
}

// mp4Bytes returns a file type box and an empty movie: enough for content sniffing, but not for players.
func mp4Bytes(id string) []byte {
	var header bytes.Buffer // mvhd, version 0: no tracks, no duration
	header.Write(make([]byte, 12))
	for _, n := range []uint32{1000, 0, 0x00010000} { // time scale, duration, rate
		_ = binary.Write(&header, binary.BigEndian, n)
	}
	header.Write([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}) // volume, reserved
	// Matrix, pre-defined, next track.
	for _, n := range []uint32{0x00010000, 0, 0, 0, 0x00010000, 0, 0, 0, 0x40000000, 0, 0, 0, 0, 0, 0, 1} {
		_ = binary.Write(&header, binary.BigEndian, n)
	}
	brands := append([]byte("isom\x00\x00\x02\x00"), "isomiso2mp41"...)
	return bytes.Join([][]byte{box("ftyp", brands), box("moov", box("mvhd", header.Bytes())), box("mdat", []byte(id))}, nil)
}

func box(kind string, content []byte) []byte {
	head := binary.BigEndian.AppendUint32(nil, uint32(8+len(content)))
	return append(append(head, kind...), content...)
}

// webmBytes returns the EBML header of WebM, the format of transparent videos.
func webmBytes() []byte {
	return []byte("\x1a\x45\xdf\xa3\x9f" + // EBML, 31 bytes
		"\x42\x86\x81\x01\x42\xf7\x81\x01\x42\xf2\x81\x04\x42\xf3\x81\x08\x42\x82\x84webm\x42\x87\x81\x04\x42\x85\x81\x02")
}

// wavBytes returns a tenth of a second of silence.
func wavBytes() []byte {
	const samples = 800
	var out bytes.Buffer
	out.WriteString("RIFF")
	_ = binary.Write(&out, binary.LittleEndian, uint32(36+samples))
	out.WriteString("WAVEfmt ")
	for _, n := range []any{uint32(16), uint16(1), uint16(1), uint32(8000), uint32(8000), uint16(1), uint16(8)} {
		_ = binary.Write(&out, binary.LittleEndian, n)
	}
	out.WriteString("data")
	_ = binary.Write(&out, binary.LittleEndian, uint32(samples))
	out.Write(bytes.Repeat([]byte{0x80}, samples))
	return out.Bytes()
}
