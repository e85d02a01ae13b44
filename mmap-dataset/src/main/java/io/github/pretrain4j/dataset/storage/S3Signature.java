package io.github.pretrain4j.dataset.storage;

import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.HexFormat;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * Signs requests without a body or a query: AWS Signature Version 4.
 *
 * @see <a href="https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html">AWS
 *     Signature Version 4</a>
 */
final class S3Signature {
  private static final String ALGORITHM = "AWS4-HMAC-SHA256";
  private static final String EMPTY_BODY =
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  private static final DateTimeFormatter STAMP =
      DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'", Locale.ROOT).withZone(ZoneOffset.UTC);

  private S3Signature() {}

  /**
   * The headers to send: those given, and those of the signature.
   *
   * @param headers lower-case names; all of them are signed, and the host
   */
  static Map<String, String> sign(
      String method,
      URI uri,
      Map<String, String> headers,
      S3Credentials credentials,
      String region,
      Instant now) {
    String stamp = STAMP.format(now);
    TreeMap<String, String> signed = new TreeMap<>(headers);
    signed.put("x-amz-content-sha256", EMPTY_BODY);
    signed.put("x-amz-date", stamp);
    if (credentials.sessionToken() != null) {
      signed.put("x-amz-security-token", credentials.sessionToken());
    }
    TreeMap<String, String> canonical = new TreeMap<>(signed);
    canonical.put("host", host(uri));
    StringBuilder request = new StringBuilder();
    request.append(method).append('\n').append(uri.getRawPath()).append("\n\n");
    canonical.forEach((name, value) -> request.append(name).append(':').append(value).append('\n'));
    String names = String.join(";", canonical.keySet());
    request.append('\n').append(names).append('\n').append(EMPTY_BODY);
    String day = stamp.substring(0, 8);
    String scope = day + "/" + region + "/s3/aws4_request";
    String text =
        ALGORITHM + "\n" + stamp + "\n" + scope + "\n" + HexFormat.of().formatHex(sha256(request));
    byte[] key = utf8("AWS4" + credentials.secretAccessKey());
    for (String step : new String[] {day, region, "s3", "aws4_request"}) {
      key = hmac(key, step);
    }
    signed.put(
        "authorization",
        ALGORITHM
            + " Credential="
            + credentials.accessKeyId()
            + "/"
            + scope
            + ",SignedHeaders="
            + names
            + ",Signature="
            + HexFormat.of().formatHex(hmac(key, text)));
    return signed;
  }

  /** As the HTTP client sends it: with the port, unless it is the scheme's own. */
  private static String host(URI uri) {
    int own = uri.getScheme().equals("https") ? 443 : 80;
    int port = uri.getPort();
    return port < 0 || port == own ? uri.getHost() : uri.getHost() + ":" + port;
  }

  private static byte[] utf8(CharSequence text) {
    return text.toString().getBytes(StandardCharsets.UTF_8);
  }

  private static byte[] sha256(CharSequence text) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(utf8(text));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }

  private static byte[] hmac(byte[] key, String text) {
    try {
      Mac mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(key, "HmacSHA256"));
      return mac.doFinal(utf8(text));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("every Java platform has HmacSHA256", e);
    }
  }
}
