import com.android.apksig.ApkVerifier;
import java.io.File;
import java.security.MessageDigest;
import java.security.cert.Certificate;
import java.util.Collections;
import java.util.HexFormat;
import java.util.Set;
import java.util.TreeSet;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;

/** Prints the certificates of each package or archive that verifies, and an empty line for others. */
class ForeignJudge {
    private static final int[] ANDROID = {21, 24, 28, 33};

    public static void main(String[] files) {
        for (String file : files) {
            Set<String> found = new TreeSet<>();
            try {
                if (file.endsWith(".apk")) {
                    apk(new File(file), found);
                } else {
                    jar(new File(file), found);
                }
            } catch (Exception error) {
                found.clear();
            }
            System.out.println(String.join(" ", found));
        }
    }

    private static void apk(File file, Set<String> found) throws Exception {
        for (int version : ANDROID) {
            ApkVerifier.Result result = new ApkVerifier.Builder(file)
                .setMinCheckedPlatformVersion(version).build().verify();
            if (result.isVerified()) {
                for (Certificate one : result.getSignerCertificates()) {
                    found.add(digest(one));
                }
                return;
            }
        }
    }

    private static void jar(File file, Set<String> found) throws Exception {
        try (JarFile archive = new JarFile(file, true)) {
            for (JarEntry entry : Collections.list(archive.entries())) {
                archive.getInputStream(entry).readAllBytes();
                if (entry.isDirectory() || entry.getName().startsWith("META-INF/")) {
                    continue;
                }
                for (var signer : entry.getCodeSigners()) {
                    found.add(digest(signer.getSignerCertPath().getCertificates().get(0)));
                }
            }
        }
    }

    private static String digest(Certificate one) throws Exception {
        return HexFormat.of().formatHex(
            MessageDigest.getInstance("SHA-256").digest(one.getEncoded()));
    }
}
