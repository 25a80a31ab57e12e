/* In a firmware, others may have functions of these names (MicroPython's own hashes, a vendor's library): so ours have
 * another there. */
#define aes128_encrypt stethos_aes128_encrypt
#define fft stethos_fft
#define hkdf_sha256 stethos_hkdf_sha256
#define hmac_sha256 stethos_hmac_sha256
#define sha256 stethos_sha256
#define sha256_final stethos_sha256_final
#define sha256_init stethos_sha256_init
#define sha256_update stethos_sha256_update

#define must_be stethos_must_be
#define ops stethos_ops
#define ops_n stethos_ops_n
#define readable stethos_readable
#define record_type stethos_record_type
#define refuse stethos_refuse
#define text_of stethos_text_of
#define unsigned_32 stethos_unsigned_32
#define whole stethos_whole
#define whole_list stethos_whole_list
#define writable stethos_writable
