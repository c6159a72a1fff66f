package jogg

import "net/http"

// formats are the documented media types by extension. The machine's own table is not used, because it differs from machine to machine.
var formats = map[string]string{
	".jpg":  "image/jpeg",
	".jpeg": "image/jpeg",
	".png":  "image/png",
	".webp": "image/webp",
	".gif":  "image/gif",
	".mp4":  "video/mp4",
	".webm": "video/webm",
	".mov":  "video/quicktime",
	".mp3":  "audio/mpeg",
	".wav":  "audio/wav",
	".m4a":  "audio/mp4",
}

const megabyte = 1 << 20

// limits are the documented maximum sizes, in bytes, by kind of file.
var limits = map[string]int64{
	"image": 10 * megabyte,
	"video": 100 * megabyte,
	"audio": 20 * megabyte,
}

// sniffLen is how many bytes of a file are examined. [http.DetectContentType] examines no more.
const sniffLen = 512

// sniff detects the documented format of a file from its first bytes. It returns "" if there is none. net/http detects most of them, but
// takes an M4A for a video and does not know QuickTime, nor an MP3 without tags.
func sniff(head []byte) string {
	switch {
	case isBrand(head, "M4A ") || isBrand(head, "M4B "):
		return "audio/mp4"
	case isBrand(head, "qt  "):
		return "video/quicktime"
	case len(head) >= 2 && head[0] == 0xff && head[1]&0xe6 == 0xe2: // the sync word of MPEG audio, layer 3
		return "audio/mpeg"
	}
	detected := http.DetectContentType(head)
	if detected == "audio/wave" {
		return "audio/wav"
	}
	for _, contentType := range formats {
		if detected == contentType {
			return contentType
		}
	}
	return ""
}

// isBrand reports whether a file belongs to the ISO media family and brand is its first brand.
func isBrand(head []byte, brand string) bool {
	return len(head) >= 12 && string(head[4:8]) == "ftyp" && string(head[8:12]) == brand
}
